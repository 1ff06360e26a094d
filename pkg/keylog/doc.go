// Package keylog writes the keys of negotiated SAs in the form that Wireshark and tshark read, and reads such tables again for
// goipsec's own capture printer. Who holds the directory can read all the traffic, so it is off unless asked for by name.
//
// Two files lie in the directory, each a Wireshark table of that name: copied into Wireshark's configuration directory they work as they are.
//
//	ikev1_decryption_table   initiator cookie, phase 1 key
//	esp_sa                   family, source, destination, SPI, cipher, key (with salt), integrity, key, length of sequence numbers
//
// Wireshark knows neither AH keys nor some ciphers (CCM, ChaCha20-Poly1305, GMAC, XCBC, CMAC). Their rows stand in esp_sa as comments with the
// mark "#goipsec", which Wireshark skips and Read reads.
//
// Life of an object: Open makes or checks the directory, Peer and Child append a line or two each, Close ends it. Rows are never taken
// back: a capture may be read long after its SAs are gone.
//
// Concurrency: a Log is safe for concurrent use; Tables are values that nobody changes once Read has returned them.
package keylog

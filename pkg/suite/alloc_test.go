package suite

import "testing"

// packet is the payload of a full Ethernet frame, a multiple of 16.
const packet = 1424

// TestPacketPathAllocations holds the promises of the package's comments: what the standard library seals, CBC, NULL and the MACs
// allocate nothing for a packet; what is ours (GCM-8, CCM, CTR) at most what is written here.
func TestPacketPathAllocations(t *testing.T) {
	limits := map[Encr]float64{AESGCM8: 1, AESCCM8: 1, AESCCM12: 1, AESCCM16: 1, AESCTR: 1} // the others 0
	for _, e := range Encrs() {
		info, _ := e.Info()
		buf := make([]byte, packet, packet+64)
		keymat := make([]byte, e.KeyMatLen(0))
		for i := range keymat {
			keymat[i] = byte(3 * i)
		}
		nonce := make([]byte, info.SaltLen+info.IVLen)
		aad := make([]byte, 12)
		var run func()
		if info.Combined {
			a, err := NewAEAD(e, keymat[:len(keymat)-info.SaltLen])
			if err != nil {
				t.Fatal(err)
			}
			run = func() {
				nonce[len(nonce)-1]++
				sealed := a.Seal(buf[:0], nonce, buf, aad)
				if _, err := a.Open(buf[:0], nonce, sealed, aad); err != nil {
					t.Fatal(err)
				}
			}
		} else {
			c, err := NewCipher(e, keymat)
			if err != nil {
				t.Fatal(err)
			}
			iv := make([]byte, info.IVLen)
			run = func() {
				c.Encrypt(buf, buf, iv)
				c.Decrypt(buf, buf, iv)
			}
		}
		got := testing.AllocsPerRun(100, run)
		if got > 2*limits[e] && !raceDetector {
			t.Errorf("%v: %v allocations to seal and open a packet, at most %v are promised", e, got, 2*limits[e])
		}
		t.Logf("%v: %v allocations to seal and open", e, got)
	}
}

func TestMACAllocations(t *testing.T) {
	data, out := make([]byte, packet), make([]byte, 0, 64)
	for _, i := range Integs() {
		if i.IsGMAC() {
			continue
		}
		mac, err := NewMAC(i, make([]byte, i.KeyMatLen()))
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			mac.Reset()
			mac.Write(data)
			out = mac.Sum(out[:0])
		}); n != 0 {
			t.Errorf("%v: %v allocations a packet", i, n)
		}
	}
	for _, h := range Hashes() {
		prf := h.PRF([]byte("key"))
		if n := testing.AllocsPerRun(100, func() {
			prf.Reset()
			prf.Write(data)
			out = prf.Sum(out[:0])
		}); n != 0 {
			t.Errorf("%v as PRF: %v allocations", h, n)
		}
	}
}

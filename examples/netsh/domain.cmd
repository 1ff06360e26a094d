rem Members of a domain protect their traffic among themselves: Kerberos first, then certificates of two authorities, then a key for the
rem machines that are not in the domain yet. What is preferred stands first.
netsh ipsec static add policy name=Domain assign=yes activatedefaultrule=no mmsecmethods="3DES-SHA1-3 3DES-SHA1-2"
netsh ipsec static add filterlist name=Company
netsh ipsec static add filter filterlist=Company srcaddr=me dstaddr=10.20.0.0 dstmask=255.255.0.0
netsh ipsec static add filterlist name=Controllers description="domain controllers, which hand out the tickets"
netsh ipsec static add filter filterlist=Controllers srcaddr=me dstaddr=10.20.0.10
netsh ipsec static add filter filterlist=Controllers srcaddr=me dstaddr=10.20.0.11
netsh ipsec static add filteraction name=Secure action=negotiate qmsecmethods="ESP[3DES,SHA1] AH[SHA1]"
netsh ipsec static add filteraction name=Clear action=permit
netsh ipsec static add rule name="Company traffic" policy=Domain filterlist=Company filteraction=Secure kerberos=yes ^
    rootca="C=CH, O=Example Company, CN=Example Root CA" ^
    rootca="C=CH, O=Example Company, CN=\'Example, Old Root CA\' certmap:no excludecaname:no" ^
    psk="throw-away domain key 5tGkWq0xN9"
netsh ipsec static add rule name=Controllers policy=Domain filterlist=Controllers filteraction=Clear

rem Three policies for three situations; one of them is assigned. They share their lists and actions.
netsh ipsec static add filterlist name=Everything
netsh ipsec static add filter filterlist=Everything srcaddr=any dstaddr=any description="any to any"
netsh ipsec static add filterlist name=Partner
netsh ipsec static add filter filterlist=Partner srcaddr=me dstaddr=198.51.100.77
netsh ipsec static add filterlist name=Local
netsh ipsec static add filter filterlist=Local srcaddr=me dstaddr=192.168.0.0 dstmask=255.255.0.0
netsh ipsec static add filteraction name=Block action=block
netsh ipsec static add filteraction name=Permit action=permit
netsh ipsec static add filteraction name=Protect action=negotiate qmsecmethods="ESP[3DES,SHA1]"

netsh ipsec static add policy name=Office description="Day to day" activatedefaultrule=no mmsecmethods="3DES-SHA1-3"
netsh ipsec static add rule name=Partner policy=Office filterlist=Partner filteraction=Protect psk="throw-away partner key Qf1sVk9eJr"

netsh ipsec static add policy name=Emergency description="Only the partner, protected" activatedefaultrule=no mmsecmethods="3DES-SHA1-3"
netsh ipsec static add rule name=Partner policy=Emergency filterlist=Partner filteraction=Protect psk="throw-away partner key Qf1sVk9eJr"
netsh ipsec static add rule name=Rest policy=Emergency filterlist=Everything filteraction=Block

netsh ipsec static add policy name=Isolated description="Nothing but the local network" activatedefaultrule=no
netsh ipsec static add rule name=Local policy=Isolated filterlist=Local filteraction=Permit
netsh ipsec static add rule name=Rest policy=Isolated filterlist=Everything filteraction=Block

netsh ipsec static set policy name=Emergency assign=yes

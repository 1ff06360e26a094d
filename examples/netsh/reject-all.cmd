@rem A web server that talks to nobody but for what is said here: everything is blocked, and exceptions are heavier.
@netsh ipsec static add policy name=Bastion activatedefaultrule=no assign=yes
@netsh ipsec static add filterlist name="All traffic"
@netsh ipsec static add filter filterlist="All traffic" srcaddr=any dstaddr=any
@netsh ipsec static add filterlist name=Web
@netsh ipsec static add filter filterlist=Web srcaddr=any dstaddr=me protocol=TCP srcport=0 dstport=80
@netsh ipsec static add filter filterlist=Web srcaddr=any dstaddr=me protocol=TCP srcport=0 dstport=443
@netsh ipsec static add filterlist name=Management
@netsh ipsec static add filter filterlist=Management srcaddr=10.1.2.0 srcmask=255.255.255.0 dstaddr=me protocol=TCP dstport=3389
@netsh ipsec static add filter filterlist=Management srcaddr=10.1.3.10-10.1.3.19 dstaddr=me protocol=TCP dstport=3389
@netsh ipsec static add filter filterlist=Management srcaddr=2001:db8:1::/64 dstaddr=me protocol=TCP dstport=3389
@netsh ipsec static add filterlist name=Ping
@netsh ipsec static add filter filterlist=Ping srcaddr=any dstaddr=me protocol=ICMP
@netsh ipsec static add filteraction name=Permit action=permit
@netsh ipsec static add filteraction name=Block action=block
@netsh ipsec static add rule name=Everything policy=Bastion filterlist="All traffic" filteraction=Block >nul 2>&1
@netsh ipsec static add rule name=Web policy=Bastion filterlist=Web filteraction=Permit >nul && echo web is open
@netsh ipsec static add rule name=Management policy=Bastion filterlist=Management filteraction=Permit
@netsh ipsec static add rule name=Ping policy=Bastion filterlist=Ping filteraction=Permit

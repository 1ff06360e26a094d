@echo off
rem Closes the ports of old file sharing and of RPC to everybody, and leaves the rest of the traffic alone.
echo Setting up the IPsec policy ...
netsh ipsec static add policy name="Closed ports" description="No file sharing, no RPC from outside" activatedefaultrule=no
netsh ipsec static add filterlist name=Ports description="Ports that nobody outside needs"
netsh ipsec static add filter filterlist=Ports srcaddr=any dstaddr=me protocol=TCP dstport=135 mirrored=no description="RPC endpoint mapper"
netsh ipsec static add filter filterlist=Ports srcaddr=any dstaddr=me protocol=UDP dstport=137 mirrored=no description="NetBIOS names"
netsh ipsec static add filter filterlist=Ports srcaddr=any dstaddr=me protocol=UDP dstport=138 mirrored=no
netsh ipsec static add filter filterlist=Ports srcaddr=any dstaddr=me protocol=TCP dstport=139 mirrored=no
netsh ipsec static add filter filterlist=Ports srcaddr=any dstaddr=me protocol=TCP dstport=445 mirrored=no description=SMB
netsh ipsec static add filteraction name=Close action=block
netsh ipsec static add rule name="Close the ports" policy="Closed ports" filterlist=Ports filteraction=Close
netsh ipsec static set policy name="Closed ports" assign=y
pause

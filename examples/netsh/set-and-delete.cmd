rem What was made is changed, renamed and taken away again: what counts is what is there at the end.
netsh ipsec static delete all
netsh ipsec static add policy name=Draft activatedefaultrule=no
netsh ipsec static set policy name=Draft newname=Final description="After all changes" assign=yes
netsh ipsec static add filterlist name=A
netsh ipsec static add filter filterlist=A srcaddr=any dstaddr=me protocol=TCP dstport=21
netsh ipsec static add filter filterlist=A srcaddr=any dstaddr=me protocol=TCP dstport=23
netsh ipsec static add filter filterlist=A srcaddr=any dstaddr=me protocol=TCP dstport=25
netsh ipsec static delete filter filterlist=A srcaddr=any dstaddr=me protocol=TCP dstport=25 mirrored=yes
netsh ipsec static set filterlist name=A newname="Old protocols"
netsh ipsec static add filterlist name=Unused
netsh ipsec static delete filterlist name=Unused
netsh ipsec static add filteraction name=X action=permit
netsh ipsec static set filteraction name=X newname=Refuse action=block
netsh ipsec static add rule name=R policy=Final filterlist="Old protocols" filteraction=Refuse
netsh ipsec static set rule name=R policy=Final newname="No clear-text logins" description="FTP and Telnet"
netsh ipsec static add rule name=Temporary policy=Final filterlist="Old protocols" filteraction=Refuse
netsh ipsec static delete rule name=Temporary policy=Final
netsh ipsec static delete filterlist name="Old protocols"
netsh ipsec static show all

netsh -c "ipsec static" add policy name=Historic mmpfs=yes qmpermm=5 mmlifetime=60 activatedefaultrule=no mmsecmethods="3DES-SHA1-2 3DES-MD5-2 DES-SHA1-1" assign=yes
netsh -c "ipsec static" add filterlist name=Plant
netsh -c "ipsec static" add filter filterlist=Plant srcaddr=me dstaddr=198.51.100.40 protocol=TCP dstport=102
netsh -c "ipsec static" add filter filterlist=Plant srcaddr=me dstaddr=198.51.100.41 protocol=47
rem AH around ESP without integrity of its own, ESP for integrity alone, AH alone, and limits of every kind
netsh -c "ipsec static" add filteraction name=Old action=negotiate qmsecmethods="AH[MD5]+ESP[DES,None]:30000k/480s ESP[None,SHA1] AH[SHA1]:7200s ESP[3DES,MD5]:200000k"
netsh -c "ipsec static" add rule name=Plant policy=Historic filterlist=Plant filteraction=Old psk="throw-away plant key 8dKqT3vYn1"

// SPDX-License-Identifier: BSD-3-Clause
// The config file: what is read, what is refused and in which words; the example and the defaults
// against the tables; the man page against the tables.
#include "base/bytes.h"
#include "config/config.h"
#include "config/schema.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// libconfig 1.5 loses the string that it has read last when a syntax error follows.
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so\n";
}

#define K1	       "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define K2	       "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
#define S1	       "IAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define EXAMPLE_KEY    "ReplaceThisExampleByTheRelaysPublicKeyXylgA="
#define EXAMPLE_PHONE  "ReplaceThisExampleByThePhonesPublicKeyXylgA="
#define EXAMPLE_SECRET "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

#define P1	       "{ name = \"a\"; key = \"" K1 "\"; }"
#define SILENT	       "{ name = \"a\"; key = \"" K1 "\"; babel = \"no\"; }"
#define P2	       "{ name = \"b\"; key = \"" K2 "\"; }"
#define L2	       "{ name = \"b\"; key = \"" K2 "\"; leaf = true; allowed = [ \"10.1.0.5/32\" ]; }"

// where: "LINE: PATH: " (the beginning of the error after the file's name), part: of the rest.
// NULL: it parses.
static const struct {
	const char *text, *where, *part;
} table[] = {
	/* 0*/ {"", NULL, NULL},
	/* 1*/ {"# comment only\n", NULL, NULL},
	/* 2*/ {"listen = 51821;", NULL, NULL},
	/* 3*/ {"listen = 0xca6c;\nfwmark = 0xffffffff;", NULL, NULL},
	/* 4*/ {"listen = 65536;", "1: listen: ", "65536 is out of range; write 0 to 65535"},
	/* 5*/ {"listen = -1;", "1: listen: ", "-1 is out of range"},
	/* 6*/ {"\nlisten = 4294967297;", "2: listen: ", "4294967297 is out of range"},
	/* 7*/ {"listen = 99999999999999999999;", "1: ", "number too large"},
	/* 8*/ {"listen = \"51820\";", "1: listen: ", "is a string; write an integer"},
	/* 9*/ {"listen = 1.5;", "1: listen: ", "is a float; write an integer"},
	/*10*/ {"\n\nlissten = 1;", "3: lissten: ", "did you mean `listen`?"},
	/*11*/ {"zzzzzzzzzzzz = 1;", "1: zzzzzzzzzzzz: ", "there are: key_file, state"},
	/*12*/ {"tun = 1;", "1: tun: ", "is an integer; write true or false"},
	/*13*/ {"host = { nmae = \"x\"; };", "1: host.nmae: ", "did you mean `name`?"},
	/*14*/ {"host = { name = \"a/b\"; };", "1: host.name: ", "no interface name"},
	/*15*/ {"host = { name = \"sixteen-letters-\"; };", "1: host.name: ", "at most 15"},
	/*16*/ {"host = { mtu = 1279; };", "1: host.mtu: ", "write 0 or 1280 to 9216"},
	/*17*/ {"host = { mtu = 0; };", NULL, NULL},
	/*18*/
	{"host = { addresses = [ \"10.1.0.1/24\", \"2001:db8::1/64\", \"10.2.0.1\" ]; };", NULL,
	 NULL},
	/*19*/
	{"host = { addresses = [ \"10.1.0.1/33\" ]; };",
	 "1: host.addresses.[0]: ", "no address with a prefix length"},
	/*20*/
	{"host = { addresses = [ 1 ]; };",
	 "1: host.addresses.[0]: ", "is an integer; write a string"},
	/*21*/ {"host = 1;", "1: host: ", "write a group"},
	/*22*/ {"workers = { count = 0; };", "1: workers.count: ", "write 1 to 64"},
	/*23*/ {"workers = { cpus = [ 1, 3 ]; };", NULL, NULL},
	/*24*/
	{"workers = { count = 1; cpus = [ 1, 3 ]; };",
	 "1: workers.cpus: ", "2 CPUs for count = 1 workers"},
	/*25*/ {"workers = { cpus = [ 1, 1 ]; };", "1: workers.cpus: ", "CPU 1 stands there twice"},
	/*26*/
	{"workers = { idle = \"lazy\"; };",
	 "1: workers.idle: ", "\"lazy\" is none of \"adaptive\", \"poll\""},
	/*27*/ {"log = { level = \"trace\"; };", "1: log.level: ", "write one of these"},
	{"\nlog = { format = \"syslog\"; };",
	 "2: log.format: ", "\"text\", \"json\", \"journald\"; write one of these"},
	{"log = { levels = { link = \"info\"; }; };",
	 "1: log.levels.link: ", "did you mean `links`?"},
	{"log = { levels = { links = 3; }; };", "1: log.levels.links: ", "in double quotes"},
	{"log = { levels = { telemetry = \"info\"; }; };",
	 "1: log.levels.telemetry: ", "there are: daemon, links, routing"},
	/*28*/ {"telemetry = { mode = \"0999\"; };", "1: telemetry.mode: ", "no file mode"},
	/*29*/ {"telemetry = { mode = \"0600\"; group = \"adm\"; };", NULL, NULL},
	{"control = { mode = \"0660\"; group = \"adm\"; };", NULL, NULL},
	{"control = { mode = \"0666\"; };", "1: control.mode: ", "lets everybody change this node"},
	{"control = { mode = \"rw\"; };", "1: control.mode: ", "no file mode"},
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; traffic = false; } );", NULL, NULL},
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; traffic = \"off\"; } );",
	 "1: peers.[0].traffic: ", "write true or false"},
	/*30*/ {"key_file = \"\";", "1: key_file: ", "is empty"},
	{"node_info = { enabled = false; name = \"\"; };", NULL, NULL},
	{"node_info = { name = \"a b\"; };", "1: node_info.name: ", "is no name; use 1 to 32"},
	/*31*/ {"network_secret = \"" S1 "\";", NULL, NULL},
	/*32*/ {"network_secret = \"hunter2\";", "1: network_secret: ", "make one with: wg genpsk"},
	/*33*/ {"ports = ( { port = 1; }, { address = \"127.0.0.1\"; port = 2; } );", NULL, NULL},
	{"ports = ( { port = 1; },\n{ address = \"127.0.0.1\"; port = 1; } );",
	 "2: ports.[1]: ", "that in line 1 is for all addresses"},
	{"ports = ( { address = \"127.0.0.1\"; port = 1; },\n{ address = \"0.0.0.0\"; port = 1; } "
	 ");",
	 "2: ports.[1]: ", "that in line 1 is for all addresses"},
	{"ports = ( { address = \"0.0.0.0\"; }, { address = \"::1\"; } );", NULL, NULL},
	{"ports = ( { port = 0; }, { address = \"::1\"; port = 0; } );", NULL, NULL},
	/*34*/
	{"ports = ( { port = 1; },\n { port = 1; } );",
	 "2: ports.[1]: ", "the same address and port stands in line 1"},
	/*35*/ {"ports = ( );", "1: ports: ", "0 ports; write 1 to 16"},
	/*36*/ {"listen = 1;\nports = ( { port = 1; } );", "2: ports: ", "`listen` is set too"},
	/*37*/
	{"ports = ( { driver = \"rdma\"; } );",
	 "1: ports.[0].driver: ", "none of \"socket\", \"af_xdp\", \"dpdk\""},
	/*38*/
	{"ports = ( { address = \"localhost\"; } );", "1: ports.[0].address: ", "no IP address"},
	/*39*/ {"ports = ( 1 );", "1: ports.[0]: ", "no group"},
	/*40*/ {"peers = ( " P1 ", " P2 " );", NULL, NULL},
	/*41*/ {"peers = ( " P1 ", " L2 " );", NULL, NULL},
	/*42*/
	{"peers = ( " P1 ",\n" P1 " );", "2: peers.[1].name: ", "the same name stands in line 1"},
	/*43*/
	{"peers = ( " P1 ",\n{ name = \"c\"; key = \"" K1 "\"; } );",
	 "2: peers.[1].key: ", "the same key stands in line 1"},
	/*44*/ {"peers = ( { name = \"a\"; } );", "1: peers.[0].key: ", "missing; write it"},
	{"peers = ( { name = \"a\"; endpoint = \"h:1\"; }, { name = \"b\"; endpoint = \"h:2\"; } "
	 ");",
	 NULL, NULL},
	{"peers = ( { name = \"a\"; endpoints = [ \"h:1\", \"h:2\" ]; } );",
	 "1: peers.[0].key: ", "give one endpoint to ask at"},
	{"peers = ( { name = \"a\"; endpoint = \"h:1\"; leaf = true; allowed = [ \"10.0.0.0/8\" ]; "
	 "} "
	 ");",
	 "1: peers.[0].key: ", "a leaf cannot be asked"},
	{"peering = \"lan\";", "1: peering: ", "is none of"},
	{"max_open_peers = 0;", "1: max_open_peers: ", "out of range"},
	{"discovery = { interfaces = [ \"a b\" ]; };",
	 "1: discovery.interfaces.[0]: ", "no interface name"},
	{"discovery = { interfaces = [ \"sixteen-and-more\" ]; };",
	 "1: discovery.interfaces.[0]: ", "at most 15"},
	/*45*/ {"peers = ( { key = \"" K1 "\"; } );", "1: peers.[0].name: ", "missing"},
	/*46*/
	{"peers = (\n" P1 ",\n{ name = \"b c\"; key = \"" K2 "\"; } );",
	 "3: peers.[1].name: ", "\"b c\" is no name"},
	/*47*/ {"peers = (\n{ name = \"a\";\n  key = \"abc\"; } );", "3: peers.[0].key: ", ""},
	/*48*/
	{"peers = ( { name = \"a\"; key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; "
	 "} );",
	 "1: peers.[0].key: ", ""},
	/*49*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; allowed = [ \"10.0.0.0/8\" ]; } );",
	 "1: peers.[0].allowed: ", "is for leaves"},
	/*50*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; leaf = true; } );",
	 "1: peers.[0].allowed: ", "missing; a leaf needs"},
	/*51*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; leaf = true; allowed = [ ]; } );",
	 "1: peers.[0].allowed: ", "missing"},
	/*52*/
	{"peers = ( { name = \"a\"; key = \"" K1
	 "\"; leaf = true; allowed = [ \"10.1.0.5/24\" ]; } );",
	 "1: peers.[0].allowed.[0]: ",
	 "host bits set; write \"10.1.0.0/24\" for the network or \"10.1.0.5\""},
	/*53*/
	{"peers = ( { name = \"a\"; key = \"" K1
	 "\"; leaf = true; allowed = [ \"10.1.0.0/24\",\n \"10.1.0.0/24\" ]; } );",
	 "2: peers.[0].allowed.[1]: ", "the same prefix stands in line 1"},
	/*54*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; endpoint = \"host\"; } );",
	 "1: peers.[0].endpoint: ", "no endpoint; write \"host:port\""},
	/*55*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; endpoint = \"relay.example.net:51820\"; "
	 "} );",
	 NULL, NULL},
	/*56*/
	{"peers = ( { name = \"a\"; key = \"" K1
	 "\"; endpoint = \"h:1\"; endpoints = [ \"h:2\" ]; } );",
	 "1: peers.[0].endpoints: ", "`endpoint` is set too"},
	/*57*/
	{"peers = ( { name = \"a\"; key = \"" K1
	 "\"; endpoints = [ \"192.0.2.1:1\", \"[2001:db8::1]:2\" ]; keepalive = 25; psk = \"" S1
	 "\"; } );",
	 NULL, NULL},
	/*58*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; keepalive = 65536; } );",
	 "1: peers.[0].keepalive: ", "out of range"},
	/*59*/ {"peers = [ 1 ];", "1: peers: ", "write a list of groups"},
	/*60*/ {"peers = ( 1 );", "1: peers.[0]: ", "write a group"},
	/*61*/
	{"max_peers = 1;\npeers = ( " P1 ", " P2 " );",
	 "2: peers: ", "2 peers, but max_peers is 1"},
	/*62*/
	{"peers = ( " P1 " );\nroutes = ( { prefix = \"200::/7\"; peer = \"a\"; } );", NULL, NULL},
	/*63*/
	{"peers = ( " P1 " );\nroutes = ( { prefix = \"200::/7\";\n peer = \"x\"; } );",
	 "3: routes.[0].peer: ", "no peer is called \"x\""},
	/*64*/
	{"peers = ( " P1 " );\nroutes = ( { prefix = \"200::1/7\"; peer = \"a\"; } );",
	 "2: routes.[0].prefix: ", "write \"200::/7\" for the network or \"200::1\""},
	/*65*/
	{"peers = ( " L2 " );\nroutes = ( { prefix = \"200::/7\"; peer = \"b\"; } );",
	 "2: routes.[0].peer: ", "\"b\" is a leaf"},
	/*66*/
	{"peers = ( " P1 ", " L2 " );\nroutes = ( { prefix = \"10.1.0.5/32\"; peer = \"a\"; } "
	 ");",
	 "2: routes.[0].prefix: ", "the same prefix stands in line 1"},
	/*67*/
	{"peers = ( " P1 " );\nroutes = ( { prefix = \"200:1::/65\"; peer = \"a\"; } );",
	 "2: routes.[0].prefix: ", "longer than /64"},
	/*67 a key and what it cannot have*/
	{"peers = ( " P1 " );\nroutes = ( { prefix = \"200::/7\"; peer = \"a\";\nkey = \"" K2
	 "\"; } );",
	 "3: routes.[0].key: ", "a node with this key has 261:956f:3f5a:3010::/64, and no other"},
	/*67 and what it has, or may have*/
	{"peers = ( " P1
	 " );\nroutes = ( { prefix = \"261:956f:3f5a:3010::/64\"; peer = \"a\"; key = \"" K2
	 "\"; }, { prefix = \"10.1.0.0/16\"; peer = \"a\"; key = \"" K2 "\"; } );",
	 NULL, NULL},
	/*68*/ {"routes = ( { prefix = \"200::/7\"; } );", "1: routes.[0].peer: ", "missing"},
	/*69*/ {"a = 1\n@include \"/etc/passwd\"\n", "2: ", "@include is not supported"},
	/*70*/ {"# @include is only a word here\ntun = true;", NULL, NULL},
	/*71*/ {"listen = 1;\nlisten = 2;", "2: ", "a key is set twice"},
	/*72*/ {"listen = = 1;", "1: ", "syntax error"},
	/*73*/ {"tun = true;\n/* open", "2: ", "comment that begins here"},
	/*74*/ {"key_file = \"open", "1: ", "string that begins here"},
	/*75*/ {"key_file = \"a\\\"b\"; # \"", NULL, NULL},
	/*76*/ {"listen = 51820L; // L\n/* * */ fwmark = 00001;", NULL, NULL},
	{"state = \"var/lib\";", "1: state: ", "does not begin with /"},
	{"state = \"\";", "1: state: ", "does not begin with /"},
	/*77*/ {"max_peers = 65537;", "1: max_peers: ", "out of range"},
	/*78*/ {"max_routes = 1e5;", "1: ", ""},
	/*79*/ {"network_secret = \"" EXAMPLE_SECRET "\";", "1: network_secret: ", "the example's"},
	{"peers = ( { name = \"a\"; key = \"" EXAMPLE_KEY "\"; } );",
	 "1: peers.[0].key: ", "the example's"},
	{"peers = ( { name = \"a\"; leaf = true; allowed = [ \"10.1.0.5/32\" ]; key = "
	 "\"" EXAMPLE_PHONE "\"; } );",
	 "1: peers.[0].key: ", "wg pubkey on a device"},
	{"routing = { accept = ( { key = \"" EXAMPLE_KEY "\"; prefix = \"10.0.0.0/8\"; } ); };",
	 "1: routing.accept.[0].key: ", "the example's"},
	/*80*/ {"workers = { cpus = [ 1, \"x\" ]; };", "1: ", "of one type"},
	/*68*/
	{"ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; },\n"
	 "{ driver = \"dpdk\"; device = \"net_tap0,iface=x\"; interface = \"xport0\"; },\n"
	 "{ driver = \"dpdk\"; device = \"0000:3b:00.0\"; port = 9; } );",
	 NULL, NULL},
	/*69*/
	{"ports = ( { driver = \"af_xdp\"; } );",
	 "1: ports.[0].interface: ", "missing; driver = \"af_xdp\" needs the card"},
	/*70*/
	{"ports = ( { driver = \"dpdk\"; } );",
	 "1: ports.[0].device: ", "missing; driver = \"dpdk\" needs the card's PCI address"},
	/*71*/
	{"ports = ( { interface = \"eth0\"; } );",
	 "1: ports.[0].interface: ", "has no meaning for driver = \"socket\""},
	/*72*/
	{"ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; device = \"x\"; } );",
	 "1: ports.[0].device: ", "has no meaning for driver = \"af_xdp\""},
	/*73*/
	{"ports = ( { driver = \"af_xdp\"; interface = \"a/b\"; } );",
	 "1: ports.[0].interface: ", "no interface name"},
	/*74*/
	{"ports = ( { driver = \"dpdk\"; device = \"net_tap0 -x\"; } );",
	 "1: ports.[0].device: ", "no device"},
	/*75*/
	{"ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; },\n"
	 "{ driver = \"af_xdp\"; interface = \"eth0\"; port = 7; } );",
	 "2: ports.[1]: ", "the same card stands in line 1"},
	/*76*/
	{"ports = ( { driver = \"dpdk\"; device = \"net_null0\"; interface = \"x\"; },\n"
	 "{ driver = \"dpdk\"; device = \"net_null0\"; port = 7; } );",
	 "2: ports.[1]: ", "the same card stands in line 1"},
	/*77*/
	{"ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; },\n{ port = 51820; } );",
	 "2: ports.[1]: ", "the same address and port stands in line 1"},
	/*78*/
	{"routing = { stub = true; };\npeers = ( { name = \"a\"; key = \"" K1 "\"; } );",
	 "1: routing.stub: ", "there is nobody to ask; set relay = true;"},
	/*79*/
	{"routing = { stub = true; };\n"
	 "peers = ( { name = \"a\"; key = \"" K1 "\"; relay = true; cost = 65534; } );",
	 NULL, NULL},
	/*80*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; relay = true; } );",
	 "1: peers.[0].relay: ", "set routing = { stub = true; };"},
	/*81*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; tag = 7; } );",
	 "1: peers.[0].tag: ", "is for leaves that speak Babel"},
	/*82*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; leaf = true;\n"
	 "allowed = [ \"10.1.0.5/32\" ]; accept = [ \"10.2.0.0/16\" ]; } );",
	 "2: peers.[0].accept: ", "add babel = \"yes\";"},
	/*83*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; leaf = true; babel = \"yes\"; tag = 7;\n"
	 "allowed = [ \"10.1.0.5/32\" ]; accept = [ \"10.2.0.0/16\" ]; announce = [ ]; } );",
	 NULL, NULL},
	/*84*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; leaf = true; stub = true;\n"
	 "allowed = [ \"10.1.0.5/32\" ]; } );",
	 "1: peers.[0].stub: ", "is between nodes"},
	/*85*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; cost = 65535; } );",
	 "1: peers.[0].cost: ", "write 1 to 65534"},
	/*86*/
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; babel = \"maybe\"; } );",
	 "1: peers.[0].babel: ", "is none of \"auto\", \"yes\", \"no\""},
	/*87*/
	{"routing = { announce = [ \"10.1.0.0/16\",\n\"200::/16\" ]; };",
	 "2: routing.announce.[1]: ", "lies in 200::/7"},
	/*88*/
	{"routing = { accept = ( { key = \"" K1 "\";\n prefix = \"300::/64\"; } ); };",
	 "2: routing.accept.[0].prefix: ", "without being accepted"},
	/*89*/
	{"routing = { accept = ( { prefix = \"10.0.0.0/8\"; } ); };",
	 "1: routing.accept.[0].key: ", "missing; add: key = "},
	/*90*/
	{"routing = { announce = [ \"fe80::/10\" ]; };",
	 "1: routing.announce.[0]: ", "\"fe80::/10\" is never routed"},
	/*91*/
	{"routing = { accept = ( { key = \"" K1 "\"; prefix = \"224.0.0.0/4\"; } ); };",
	 "1: routing.accept.[0].prefix: ", "is never routed"},
	/*92*/
	{"peers = ( " P1 " );\nroutes = ( { prefix = \"fe80::/10\"; peer = \"a\"; } );",
	 "2: routes.[0].prefix: ", "is never routed"},
	/*93*/
	{"peers = ( { name = \"b\"; key = \"" K2 "\"; leaf = true;\n"
	 "allowed = [ \"10.1.0.5/32\", \"127.0.0.0/8\" ]; } );",
	 "2: peers.[0].allowed.[1]: ", "is never routed"},
	/*94*/
	{"host = { addresses = [ \"127.0.0.1/8\" ]; };",
	 "1: host.addresses.[0]: ", "is never routed"},
	/*95*/
	{"routing = { stub = true; };\npeers = ( { name = \"a\"; key = \"" K1
	 "\"; relay = true; },\n{ name = \"b\"; key = \"" K2 "\"; stub = true; } );",
	 "3: peers.[1].stub: ", "this node is a stub itself"},
	/*96*/
	{"ports = ( { driver = \"af_xdp\";\n interface = \"xylem0\"; } );",
	 "2: ports.[0].interface: ", "this node's own interface"},
	/*97*/
	{"host = { name = \"x\"; };\ndiscovery = { interfaces = [ \"eth0\", \"x\" ]; };",
	 "2: discovery.interfaces.[1]: ", "this node's own interface"},
	/*98*/
	{"tun = false;\ndiscovery = { interfaces = [ \"xylem0\" ]; };", NULL, NULL},
	/*99*/
	{"ports = ( { checksum = \"none\"; } );",
	 "1: ports.[0].checksum: ", "has no meaning for driver = \"socket\""},
	/*100*/
	{"ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; checksum = \"no\"; } );",
	 "1: ports.[0].checksum: ", "none of \"full\", \"none\""},
	/*101*/
	{"host = { allow = ( \"tcp/22\", \"udp\", \"tcp\", { port = \"udp/1000-2000\"; } ); };",
	 NULL, NULL},
	/*102*/ {"host = { allow = \"all\"; };", NULL, NULL},
	/*103*/ {"host = { allow = [ \"tcp/1\", \"udp/65535\" ]; };", NULL, NULL},
	/*104*/ {"host = { allow = \"tcp/22\"; };", "1: host.allow: ", "write \"all\", or a list"},
	/*105*/ {"host = { allow = true; };", "1: host.allow: ", "is a boolean; write a list"},
	/*106*/
	{"host = { allow = ( \"tcp/22\",\n\"tcp/0\" ); };",
	 "2: host.allow.[1]: ", "\"tcp/0\" names no ports; write a number from 1 to 65535"},
	/*107*/ {"host = { allow = ( \"tcp/65536\" ); };", "1: host.allow.[0]: ", "names no ports"},
	/*108*/ {"host = { allow = ( \"tcp/022\" ); };", "1: host.allow.[0]: ", "names no ports"},
	/*109*/ {"host = { allow = ( \"tcp/9-8\" ); };", "1: host.allow.[0]: ", "names no ports"},
	/*110*/ {"host = { allow = ( \"tcp/1-\" ); };", "1: host.allow.[0]: ", "names no ports"},
	/*111*/ {"host = { allow = ( \"tcp/\" ); };", "1: host.allow.[0]: ", "names no ports"},
	/*112*/ {"host = { allow = ( \"tcp 22\" ); };", "1: host.allow.[0]: ", "names no ports"},
	/*113*/
	{"host = { allow = ( \"tcp/22 accept; policy drop\" ); };",
	 "1: host.allow.[0]: ", "names no ports"},
	/*114*/
	{"host = { allow = ( \"ssh\" ); };", "1: host.allow.[0]: ", "is no protocol with a port"},
	/*115*/
	{"host = { allow = ( \"22\" ); };", "1: host.allow.[0]: ", "is no protocol with a port"},
	/*116*/ {"host = { allow = ( \"icmp\" ); };", "1: host.allow.[0]: ", "needs no entry"},
	/*117*/ {"host = { allow = ( \"all\" ); };", "1: host.allow.[0]: ", "stands alone"},
	/*118*/
	{"host = { allow = ( 22 ); };", "1: host.allow.[0]: ", "neither a string nor a group"},
	/*119*/
	{"host = { allow = ( { from = \"a\"; } ); }; peers = ( " P1 " );",
	 "1: host.allow.[0].port: ", "missing; add: port = "},
	/*120*/
	{"host = { allow = ( { port = \"tcp/22\";\nfrom = \"b\"; } ); };\npeers = ( " P1 " );",
	 "2: host.allow.[0].from: ", "\"b\" is nobody: no peer has that name"},
	/*121*/
	{"host = { allow = ( { port = \"tcp/22\"; from = \"10.0.0.1/8\"; } ); };",
	 "1: host.allow.[0].from: ", "has host bits set; write \"10.0.0.0/8\""},
	/*122*/
	{"host = { allow = ( { port = \"tcp/22\"; from = \"0.0.0.0/0 accept\"; } ); };",
	 "1: host.allow.[0].from: ", "no prefix"},
	/*123*/
	{"host = { allow = ( { port = \"tcp/22\"; from = \"\"; } ); };",
	 "1: host.allow.[0].from: ", "is nobody"},
	/*124*/
	{"host = { allow = ( { port = \"tcp/22\"; frm = \"a\"; } ); };",
	 "1: host.allow.[0].frm: ", "did you mean `from`?"},
	/*125*/
	{"host = { name = \"x\\\"; drop\"; };", "1: host.name: ", "no interface name"},
	{"host = { name = \"\"; };", "1: host.name: ", "no interface name"},
	/*126*/
	{"host = { name = \"x\\\"y\"; };", "1: host.name: ", "no rule of the firewall can hold"},
	/*127*/
	{"host = { name = \"x*\"; };", "1: host.name: ", "set allow = \"all\""},
	/*128*/ {"host = { name = \"x*\"; allow = \"all\"; };", NULL, NULL},
	/*129*/ {"tun = false; host = { name = \"x*\"; };", NULL, NULL},
	/*130*/ {"exit = \"a\"; peers = ( " P1 " );", NULL, NULL},
	/*131*/ {"exit = \"" K2 "\"; peers = ( " P1 " );", NULL, NULL},
	/*132*/
	{"exit = \"offer\"; exit_for = [ \"a\", \"" K2 "\" ]; peers = ( " P1 " );", NULL, NULL},
	/*133*/ {"exit = \"offer\"; exit_for = [ \"all\" ];", NULL, NULL},
	/*134*/ {"exit = \"\";", NULL, NULL},
	/*135*/
	{"peers = ( " P1 " );\nexit = \"c\";",
	 "2: exit: ", "\"c\" is nobody: no peer has that name"},
	/*136*/
	{"peers = ( " P1 ", " L2 " );\nexit = \"b\";", "2: exit: ", "\"b\" is a leaf"},
	/*137*/
	{"peers = ( " P1 ", " L2 " );\nexit = \"" K2 "\";", "2: exit: ", "\"b\" is a leaf"},
	/*138*/
	{"peers = ( { name = \"a\"; endpoint = \"h:1\"; } );\nexit = \"a\";",
	 "2: exit: ", "the key of peer a is not in this file"},
	/*139*/ {"exit = \"offer\";", "1: exit: ", "says not for whom; add exit_for"},
	/*140*/ {"exit = \"offer\"; exit_for = [ ];", "1: exit: ", "says not for whom"},
	/*141*/
	{"exit = \"offer\";\nexit_for = [ \"x\" ];", "2: exit_for.[0]: ", "\"x\" is nobody"},
	/*142*/ {"tun = false; exit = \"" K1 "\";", "1: exit: ", "needs this host's interface"},
	/*143*/
	{"tun = false; exit = \"offer\"; exit_for = [ \"all\" ];",
	 "1: exit: ", "needs this host's interface"},
	/*144*/
	{"routing = { stub = true; }; peers = ( { name = \"a\"; key = \"" K1
	 "\"; relay = true; } ); exit = \"a\";",
	 "1: exit: ", "this node is a stub"},
	/*145*/
	{"routing = { announce = [ \"10.0.0.0/8\", \"2000::/3\" ]; };\n"
	 "exit = \"offer\"; exit_for = [ \"all\" ];",
	 "2: exit: ", "routing.announce has 2000::/3, by which all nodes could go out"},
	/*146*/
	{"routing = { announce = [ \"128.0.0.0/1\" ]; };\nexit = \"offer\"; exit_for = [ \"all\" "
	 "];",
	 "2: exit: ", "routing.announce has 128.0.0.0/1, by which"},
	/*147*/
	{"routing = { announce = [ \"10.0.0.0/8\", \"fd00::/8\", \"2001::/16\", \"::/0\" ]; };\n"
	 "exit = \"offer\"; exit_for = [ \"all\" ];",
	 NULL, NULL},
	/*148*/ {"routing = { announce = [ \"2000::/3\" ]; };", NULL, NULL}, // of its own will
};

static void parse(const char *text, struct xy_config *c)
{
	struct xy_err err = {""};
	int ret = xy_config_parse("t", text, strlen(text), c, &err);
	if (ret)
		printf("\n  %s\n", err.text);
	CU_ASSERT_FATAL(ret == 0);
}

// What passes and does nothing: each line of `warnings` is the beginning of one, and there are no
// others.
static const struct {
	const char *text;
	unsigned count;
	const char *warnings[2];
} useless[] = {
	{"peers = ( " P1 ", " L2 " );\nrouting = { announce = [ \"10.1.0.0/16\" ]; };", 0, {0}},
	{"tun = false;\nhost = { name = \"x\"; mtu = 1280; addresses = [ \"10.1.0.1/24\" ]; };",
	 2,
	 {"2: host.name: has no effect: tun = false", "2: host.mtu: has no effect: tun = false"}},
	{"node_info = { enabled = false;\nname = \"x\"; };",
	 1,
	 {"2: node_info.name: has no effect: node_info.enabled = false"}},
	{"node_info = { name = \"x\"; version = true; };", 0, {0}},
	{"telemetry = { mode = \"0600\"; group = \"adm\"; };",
	 1,
	 {"1: telemetry.group: has no effect: telemetry.mode lets no group"}},
	{"telemetry = { mode = \"0640\"; group = \"adm\"; };",
	 1,
	 {"1: telemetry.group: has no effect: telemetry.mode lets no group"}},
	{"telemetry = { mode = \"0620\"; group = \"adm\"; };", 0, {0}},
	{"max_open_peers = 7;", 1, {"1: max_open_peers: has no effect: peering is closed"}},
	{"peering = \"open\"; max_open_peers = 7;", 0, {0}},
	{"peering = \"open\"; max_peers = 8;\nmax_open_peers = 8; peers = ( " P1 " );",
	 1,
	 {"2: max_open_peers: 8, but max_peers = 8 leaves room for 7"}},
	{"discovery = { interfaces = [ \"e\" ]; };",
	 1,
	 {"1: discovery.interfaces: has no effect: peering is closed"}},
	{"discovery = { interfaces = [ \"e\",\n\"e\" ]; }; peers = ( " P1 " );",
	 1,
	 {"2: discovery.interfaces.[1]: has no effect: it stands"}},
	// leaves reach it behind this node
	{"peers = (\n" L2 " );\nrouting = { announce = [ \"10.1.0.0/16\" ]; };", 0, {0}},
	{"tun = false; peers = (\n" L2 " );\nrouting = { announce = [ \"10.9.0.0/16\" ]; };",
	 1,
	 {"3: routing.announce: has no effect: no peer"}},
	{"peers = (\n" L2 " ); peering = \"open\";\nrouting = { announce = [ \"10.1.0.0/16\" ]; };",
	 0,
	 {0}},
	{"peers = (\n" L2 " );\nrouting = { accept = ( { key = \"" K1
	 "\"; prefix = \"10.0.0.0/8\"; } ); };",
	 1,
	 {"3: routing.accept: has no effect: no peer"}},
	// it brings parts of it
	{"tun = false; routing = { announce = [ \"10.0.0.0/8\" ]; };\n"
	 "peers = ( { name = \"a\"; key = \"" K1 "\"; leaf = true; babel = \"yes\";\n"
	 "allowed = [ \"192.0.2.1/32\" ]; accept = [ \"10.2.0.0/16\" ]; } );",
	 0,
	 {0}},
	// a node that is asked for its key is found by it afterwards
	{"discovery = { interfaces = [ \"e\" ]; };\n"
	 "peers = ( { name = \"a\"; endpoint = \"h:1\"; } );",
	 0,
	 {0}},
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; babel = \"no\";\ncost = 5; stub = true; } );",
	 2,
	 {"2: peers.[0].cost: has no effect: babel = \"no\"",
	  "2: peers.[0].stub: has no effect: babel = \"no\""}},
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; leaf = true; allowed = [ \"10.0.0.0/8\" ];\n"
	 "max_origins = 5; } );",
	 1,
	 {"2: peers.[0].max_origins: has no effect: no routes are exchanged with a leaf"}},
	{"peers = ( { name = \"a\"; key = \"" K1 "\"; endpoint = \"h:1\"; },\n"
	 "{ name = \"b\"; key = \"" K2 "\"; endpoints = [ \"h:2\",\n\"h:2\", \"h:1\" ]; } );",
	 2,
	 {"3: peers.[1].endpoints.[2]: \"h:1\" is another peer's in line 1",
	  "3: peers.[1].endpoints.[1]: \"h:2\" stands in line 2"}},
	{"peers = ( " P1
	 " );\nroutes = ( { prefix = \"261:956f:3f5a:3010::/64\"; peer = \"a\"; } );",
	 1,
	 {"2: routes.[0]: leads beyond peer a, which carries only what is sealed"}},
	{"peers = ( " P1
	 " );\nroutes = ( { prefix = \"2e4:c7fd:7f5e:ada::/64\"; peer = \"a\"; } );",
	 0,
	 {0}},
	// The whole mesh by a peer that tells no keys; by one that does, or with a key.
	{"peers = ( " SILENT " );\nroutes = ( { prefix = \"200::/7\"; peer = \"a\"; } );",
	 1,
	 {"2: routes.[0]: this host reaches no node beyond peer a"}},
	{"peers = ( " SILENT " ); peering = \"open\";\n"
	 "routes = ( { prefix = \"200::/7\"; peer = \"a\"; } );",
	 0,
	 {0}},
	{"peers = ( " P1 " );\nroutes = ( { prefix = \"200::/7\"; peer = \"a\"; } );", 0, {0}},
	{"peers = ( " SILENT ", " P2 " );\nroutes = ( { prefix = \"300::/8\"; peer = \"a\"; } );",
	 0,
	 {0}},
	{"peers = ( " SILENT " );\nroutes = ( { prefix = \"200::/7\"; peer = \"a\"; },\n"
	 "{ prefix = \"10.9.0.0/16\"; peer = \"a\"; key = \"" K2 "\"; } );",
	 0,
	 {0}},
	{"tun = false; routing = { announce = [ \"10.9.0.0/16\" ]; };\npeers = ( " P1 ", " L2 " );",
	 1,
	 {"1: routing.announce.[0]: what comes for it is dropped"}},
	{"tun = false; routing = { announce = [ \"10.1.0.0/16\" ]; };\npeers = ( " P1 ", " L2 " );",
	 0,
	 {0}},
	{"routing = { announce = [ \"10.9.0.0/16\",\n\"10.9.0.0/16\" ];\naccept = ( { key = \"" K1
	 "\"; prefix = \"10.0.0.0/8\"; },\n{ key = \"" K1 "\"; prefix = \"10.0.0.0/8\"; } ); };",
	 2,
	 {"2: routing.announce.[1]: has no effect: it stands",
	  "4: routing.accept.[1]: has no effect: the same key"}},
	{"max_sessions = 16;\npeers = ( " P1 " );", 0, {0}},
	{"peers = ( " P1 " );\nexit = \"a\";",
	 1,
	 {"2: exit: no IPv4 goes by it, and none past it"}},
	{"peers = ( " P1 " ); host = { addresses = [ \"10.77.0.2/32\" ]; };\nexit = \"a\";",
	 1,
	 {"2: exit: no answer to IPv4 comes back by it: 10.77.0.2 is not announced; add "
	  "\"10.77.0.2/32\""}},
	{"peers = ( " P1 " ); host = { addresses = [ \"10.77.0.2/32\" ]; };\n"
	 "routing = { announce = [ \"10.77.0.0/24\" ]; }; exit = \"a\";",
	 0,
	 {0}},
	{"host = { addresses = [ \"10.77.0.2/32\" ]; };\n"
	 "routing = { announce = [ \"10.77.0.0/24\" ]; };\n"
	 "exit = \"a\"; peers = ( { name = \"a\"; key = \"" K1
	 "\"; endpoint = \"h.example:1\"; } );",
	 1,
	 {"3: exit: all endpoints of peers are names"}},
	{"host = { addresses = [ \"10.77.0.2/32\" ]; };\n"
	 "routing = { announce = [ \"10.77.0.0/24\" ]; };\n"
	 "exit = \"a\"; peers = ( { name = \"a\"; key = \"" K1
	 "\"; endpoints = [ \"h.example:1\", \"192.0.2.1:1\" ]; } );",
	 0,
	 {0}},
	{"peers = ( " P1 " );\nexit_for = [ \"a\" ];", 1, {"2: exit_for: has no effect"}},
	{"peers = ( " P1 ", " L2 " ); exit = \"offer\";\nexit_for = [ \"b\",\n\"all\",\n\"a\" ];",
	 1,
	 {"4: exit_for.[2]: it gets IPv6 alone"}},
	{"peers = ( " P1 " ); exit = \"offer\"; exit_for = [ \"a\" ];\n"
	 "routing = { announce = [ \"::/0\" ]; accept = ( { key = \"" K1
	 "\"; prefix = \"10.77.0.2/32\"; } ); };",
	 0,
	 {0}},
	{"tun = false;\nhost = { allow = ( \"tcp/22\" ); };",
	 1,
	 {"2: host.allow: has no effect: tun = false"}},
	{"host = { allow = (\n\"tcp/22\",\n\"tcp/22\", \"udp/22\" ); };",
	 1,
	 {"3: host.allow.[1]: has no effect: the entry in line 2"}},
	{"host = { allow = (\n{ port = \"tcp/22\"; from = \"a\"; },\n\"tcp\" ); }; peers = ( " P1
	 " );",
	 1,
	 {"2: host.allow.[0]: has no effect: the entry in line 3"}},
	{"host = { allow = (\n{ port = \"tcp/22\"; from = \"a\"; },\n{ port = \"tcp/22\"; from = "
	 "\"" K1 "\"; } ); };\npeers = ( " P1 " );",
	 1,
	 {"3: host.allow.[1]: has no effect: the entry in line 2"}},
	{"host = { allow = ( { port = \"tcp/22\"; from = \"10.0.0.0/8\"; },\n{ port = \"tcp/22\"; "
	 "from = "
	 "\"10.1.0.0/16\"; },\n{ port = \"tcp/20-30\"; from = \"10.1.0.0/16\"; } ); };",
	 1,
	 {"2: host.allow.[1]: has no effect: the entry in line 1"}},
};

static void check_useless(size_t i)
{
	struct xy_config c;
	struct xy_err err = {""};
	char want[300];
	bool right = xy_config_parse("f", useless[i].text, strlen(useless[i].text), &c, &err) == 0;
	right = right && c.warnings.count == useless[i].count;
	for (unsigned k = 0; right && k < c.warnings.count; k++) {
		snprintf(want, sizeof(want), "f:%s", useless[i].warnings[k]);
		right = strncmp(c.warnings.v[k].text, want, strlen(want)) == 0;
	}
	if (!right)
		printf("\n  row %zu: %s%u\n", i, err.text, c.warnings.count);
	for (unsigned k = 0; !right && k < c.warnings.count; k++)
		printf("  %s\n", c.warnings.v[k].text);
	CU_ASSERT(right);
	xy_config_free(&c);
}

static void test_useless(void)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(useless); i++)
		check_useless(i);
}

// Where nobody can be, and what is no name: part is of the error; NULL: it is an endpoint.
static const struct {
	const char *text, *part;
} endpoints[] = {
	{"192.0.2.1:1", NULL},
	{"[2001:db8::1]:2", NULL},
	{"[fe80::1%eth0]:3", NULL},
	{"[fe80::1%2]:3", NULL},
	{"[::ffff:192.0.2.7]:4", NULL},
	{"relay.example.net.:5", NULL},
	{"localhost:6", NULL},
	{"a_b-c.d:7", NULL},
	{"x-9.example:7", NULL},
	{"m\303\274nchen.example:8", NULL},
	{"127.0.0.1:9", NULL},
	{"0x7f.1:1", NULL},
	{"192.0.2.300:51820", "is no IPv4 address, and no name"},
	{"192.0.2.7.1:51820", "is no IPv4 address"},
	{"192.0.2.07:1", "without zeros before them"},
	{"7:51820", "is no IPv4 address"},
	{"[fe80::1]:51820", "needs the interface to it: \"[fe80::1%eth0]:51820\""},
	{"[fe80::1%]:1", "no interface's name or number"},
	{"[fe80::1%0]:1", "no interface's name or number"},
	{"[2001:db8::1%eth0]:1", "which only a link-local address"},
	{"[ff02::1]:51820", "is nobody's address"},
	{"0.0.0.0:1", "is nobody's"},
	{"[::]:1", "is nobody's"},
	{"255.255.255.255:1", "is nobody's"},
	{"224.0.0.1:1", "is nobody's"},
	{"[200::1]:51820", "lies in the overlay"},
	{"my host:51820", "has a blank"},
	{" h:1", "has a blank"},
	{"h:1 ", "has a blank"},
	{"[2001:db8::g]:51820", "no IPv6 address in its brackets"},
	{"[2001:db8:1:2:3:4:5:6:7]:51820", "no IPv6 address in its brackets"},
	{"a..b:51820", "an empty part in its name"},
	{".a:1", "an empty part"},
	{"a..:1", "an empty part"},
	{"udp://192.0.2.7:51820", "has a scheme"},
	{"192.0.2.7", "is no endpoint; write \"host:port\""},
	{"2001:db8::7:51820", "IPv6 address in brackets"},
	{"h:0", "is no endpoint"},
	{"h:65536", "is no endpoint"},
	{"a/b:1", "has a / in its name"},
	{"192.0.2.1\302\240:1", "a no-break space (U+00A0)"},
	{"h\377:1", "a byte that is no UTF-8 (0xff)"},
	{"\342\200\234h\342\200\235:1", "a quotation mark of print (U+201C)"},
	{"a123456789a123456789a123456789a123456789a123456789a123456789abcd.x:1",
	 "a part longer than 63"},
};

static void test_endpoints(void)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(endpoints); i++) {
		struct xy_err why = {""};
		int ret = xy_config_endpoint_check(endpoints[i].text, &why);
		bool right = endpoints[i].part
				     ? ret == -EINVAL && strstr(why.text, endpoints[i].part)
				     : ret == 0;
		if (!right)
			printf("\n  \"%s\": %d %s\n", endpoints[i].text, ret, why.text);
		CU_ASSERT(right);
	}
}

#define BOM   "\357\273\277"
#define LEFT  "\342\200\234"
#define RIGHT "\342\200\235"
#define NBSP  "\302\240"

// Each error of a file, and none that only follows from another.
static const struct {
	const char *text;
	unsigned count;
	const char *errors[4];
} several[] = {
	{"listn = 1;\nmax_peers = 0;\ntun = 1;\n",
	 3,
	 {"1: listn: unknown", "2: max_peers: 0 is out", "3: tun: is an integer"}},
	{"peers = (\n{ name = \"a b\"; key = \"" K1 "\"; },\n{ name = \"c\"; key = \"x\"; },\n" P2
	 ",\n{ name = \"b\"; key = \"" K2 "\"; } );",
	 4,
	 {"2: peers.[0].name: ", "3: peers.[1].key: ", "5: peers.[3].name: the same name",
	  "5: peers.[3].key: the same key"}},
	// a key that is wrong is not missing, too; nor is a route's peer, whose name is wrong
	{"peers = ( { name = \"a+b\"; key = \"x\"; leaf = true; } );\n"
	 "routes = ( { prefix = \"200::/7\"; peer = \"ab\"; } );",
	 3,
	 {"1: peers.[0].name: ", "1: peers.[0].key: ", "1: peers.[0].allowed: missing"}},
	{"peer = ( " P1 " );\nroutes = ( { prefix = \"200::/7\"; peer = \"a\"; } );",
	 1,
	 {"1: peer: unknown key; did you mean `peers`?"}},
	{"peers = ( { nam = \"a\"; key = \"" K1 "\"; allowed = [ \"10.0.0.0/8\" ]; } );",
	 1,
	 {"1: peers.[0].nam: unknown"}},
	{"max_peers = 1000000;\npeers = ( { name = \"a\"; key = \"" K1 "\";\n"
	 "endpoints = [ \"h\",\n\"[fe80::1]:1\", \"h:2\" ]; } );",
	 3,
	 {"1: max_peers: ", "3: peers.[0].endpoints.[0]: ", "4: peers.[0].endpoints.[1]: "}},
	{"routing = { stub = true; };\npeers = ( { name = \"a\"; key = \"x\"; relay = true; } );",
	 1,
	 {"2: peers.[0].key: "}},
	{"host = { addresses = [ \"x\",\n\"127.0.0.1/8\" ]; mtu = 1; };\n"
	 "routing = { announce = [ \"10.0.0.1/8\", \"200::/16\" ]; };",
	 5,
	 {"1: host.addresses.[0]: ", "2: host.mtu: ", "2: host.addresses.[1]: ",
	  "3: routing.announce.[0]: "}},
	// how a file is written
	{BOM "tun = 1;\r\nlisten = \"a\";\r\n", 2, {"1: tun: ", "2: listen: "}},
	{"# all of it a comment?\rtun = 1;\rlisten = \"a\";", 2, {"2: tun: ", "3: listen: "}},
	{"\ntun" NBSP "= 1;", 2, {"2: a no-break space (U+00A0); only plain", "2: tun: is an"}},
	{"key_file = " LEFT "/k" RIGHT ";\ntun = 1;",
	 2,
	 {"1: a quotation mark of print (U+201C); write the ASCII one, \"", "2: tun: is an"}},
	{"key_file = " LEFT "/k;\ntun = 1;", 2, {"1: a quotation mark of print", "2: tun: is an"}},
	{"schl\303\274ssel = 1;\ntun = \303;",
	 2,
	 {"1: a letter that is not ASCII (U+00FC); outside of strings",
	  "2: a byte that is no UTF-8 (0xc3)"}},
	{"@include \"a\"\n@include \"b\"\n", 2, {"1: @include", "2: @include"}},
	{"\377\376t", 1, {"1: is UTF-16"}},
	{"\n# my tunnel\n[Interface]\nPrivateKey = x\n", 1, {"3: is a config of WireGuard"}},
	{"[peer]\n", 1, {"1: is a config of WireGuard"}},
	{"{ \"key_file\": \"/k\" }\n", 1, {"1: begins with {, as JSON does"}},
};

static void check_several(size_t i)
{
	struct xy_config c;
	struct xy_err err = {""};
	char want[300];
	int ret = xy_config_parse("f", several[i].text, strlen(several[i].text), &c, &err);
	bool right = ret == -EINVAL && c.errors.count == several[i].count;
	for (unsigned k = 0; right && k < 4 && several[i].errors[k]; k++) {
		snprintf(want, sizeof(want), "f:%s", several[i].errors[k]);
		right = strncmp(c.errors.v[k].text, want, strlen(want)) == 0;
	}
	right = right && strcmp(err.text, c.errors.v[0].text) == 0;
	for (unsigned k = 0; !right && k < c.errors.count; k++)
		printf("\n  row %zu: %s\n", i, c.errors.v[k].text);
	CU_ASSERT(right);
	xy_config_free(&c);
}

static void test_several(void)
{
	for (size_t i = 0; i < XY_ARRAY_SIZE(several); i++)
		check_several(i);
}

// Names, comments and strings may hold any letter; no newline is needed at the end.
static void test_forms(void)
{
	struct xy_config c;
	parse(BOM "# M\303\274nchen " LEFT "x" RIGHT
		  "\r\n/* \303\244 */ key_file = \"/k\303\266y\";\r\n"
		  "tun = false",
	      &c);
	CU_ASSERT_STRING_EQUAL(c.key_file, "/k\303\266y");
	CU_ASSERT(!c.host.enabled);
	xy_config_free(&c);
}

// Bounded, however many there are.
static void test_many_errors(void)
{
	struct xy_config c;
	struct xy_err err;
	char text[8192] = "";
	for (int i = 0; i < 100; i++)
		strcat(text, "tun = 1 ,\n");
	CU_ASSERT(xy_config_parse("f", text, strlen(text), &c, &err) == -EINVAL);
	xy_config_free(&c);
	strcpy(text, "routing = { announce = [ \"x\"");
	for (int i = 1; i < 100; i++)
		strcat(text, ", \"x\"");
	strcat(text, " ]; };");
	CU_ASSERT(xy_config_parse("f", text, strlen(text), &c, &err) == -EINVAL);
	CU_ASSERT(c.errors.count == XY_CONFIG_NOTES && c.errors.more == 100 - XY_CONFIG_NOTES);
	xy_config_free(&c);
}

// Bounded, however many there are.
static void test_many_useless(void)
{
	struct xy_config c;
	struct xy_err err;
	char text[8192] = "routing = { announce = [ \"10.0.0.0/8\"";
	for (int i = 0; i < 100; i++)
		strcat(text, ", \"10.0.0.0/8\"");
	strcat(text, " ]; };");
	CU_ASSERT_FATAL(xy_config_parse("f", text, strlen(text), &c, &err) == 0);
	CU_ASSERT(c.warnings.count == XY_CONFIG_NOTES);
	CU_ASSERT(c.warnings.more == 100 - XY_CONFIG_NOTES);
	xy_config_free(&c);
}

static void check_row(size_t i)
{
	struct xy_config c;
	struct xy_err err = {""};
	char where[64];
	int ret = xy_config_parse("xylem.conf", table[i].text, strlen(table[i].text), &c, &err);
	snprintf(where, sizeof(where), "xylem.conf:%s", table[i].where ? table[i].where : "");
	bool right = table[i].where
			     ? ret == -EINVAL && strncmp(err.text, where, strlen(where)) == 0 &&
				       strstr(err.text + strlen(where), table[i].part)
			     : ret == 0;
	if (!right)
		printf("\n  row %zu: %d \"%s\"\n", i, ret, err.text);
	CU_ASSERT(right);
	CU_ASSERT(!strstr(err.text, "hunter2"));
	xy_config_free(&c);
}

static void test_table(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		check_row(i);
}

// Any length of the text is an end that must be survived; no byte beyond it is read (ASan).
static void test_cut(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (size_t len = 0; len < strlen(table[i].text); len++) {
			struct xy_config c;
			struct xy_err err;
			char *text = malloc(len ? len : 1);
			memcpy(text, table[i].text, len);
			xy_config_parse("t", text, len, &c, &err);
			xy_config_free(&c);
			free(text);
		}
	}
}

static void test_cards(void)
{
	struct xy_config c;
	parse("ports = ( { driver = \"af_xdp\"; interface = \"eth0\"; },\n"
	      "{ driver = \"af_xdp\"; interface = \"eth1\"; checksum = \"none\"; },\n"
	      "{ driver = \"dpdk\"; device = \"net_tap0,iface=x\"; interface = \"xport0\"; "
	      "address = \"192.0.2.1\"; },\n"
	      "{ port = 7; } );",
	      &c);
	CU_ASSERT_EQUAL_FATAL(c.port_count, 4);
	CU_ASSERT(c.ports[0].checksum == XY_CHECKSUM_FULL &&
		  c.ports[1].checksum == XY_CHECKSUM_NONE);
	CU_ASSERT(c.ports[0].driver == XY_DRIVER_AF_XDP && c.ports[2].driver == XY_DRIVER_DPDK);
	CU_ASSERT_STRING_EQUAL(c.ports[1].interface, "eth1");
	CU_ASSERT_STRING_EQUAL(c.ports[2].interface, "xport0");
	CU_ASSERT_STRING_EQUAL(c.ports[2].device, "net_tap0,iface=x");
	CU_ASSERT(c.ports[0].shared && c.ports[1].shared);
	CU_ASSERT(!c.ports[2].shared && !c.ports[3].shared);
	CU_ASSERT(c.ports[3].driver == XY_DRIVER_SOCKET && !c.ports[3].interface[0]);
	xy_config_free(&c);
}

static void test_routing(void)
{
	struct xy_config c;
	parse("routing = { announce = [ \"10.1.0.0/16\" ]; accept = ( { key = \"" K1 "\"; "
	      "prefix = \"10.2.0.0/16\"; } ); };\n"
	      "peers = ( " L2 ", { name = \"n\"; key = \"" K1 "\"; cost = 7; max_origins = 9; "
	      "stub = true; } );",
	      &c);
	CU_ASSERT_FATAL(c.routing.announce.count == 1 && c.routing.accept_count == 1);
	CU_ASSERT(c.routing.announce.v[0].len == 96 + 16);
	CU_ASSERT(c.routing.accept[0].prefix.addr.b[13] == 2);
	CU_ASSERT(c.routing.accept[0].key.b[0] == c.peers[1].key.b[0]);
	CU_ASSERT(!xy_config_speaks(&c.peers[0]) && xy_config_speaks(&c.peers[1]));
	CU_ASSERT(c.peers[1].cost == 7 && c.peers[1].max_origins == 9 && c.peers[1].stub);
	CU_ASSERT(!c.peers[1].announce.v);
	xy_config_free(&c);
	parse("peers = ( { name = \"a\"; key = \"" K1 "\"; leaf = true; babel = \"yes\"; "
	      "tag = 7; allowed = [ \"10.1.0.5/32\" ]; accept = [ \"10.2.0.0/16\" ]; "
	      "announce = [ ]; } );",
	      &c);
	CU_ASSERT(xy_config_speaks(&c.peers[0]) && c.peers[0].tag == 7);
	CU_ASSERT(c.peers[0].accept.count == 1);
	CU_ASSERT(c.peers[0].announce.v && !c.peers[0].announce.count); // told nothing but ours
	xy_config_free(&c);
}

static void test_values(void)
{
	struct xy_config c;
	char buf[XY_PREFIX_STRLEN], key[XY_KEY_STRLEN];
	parse("key_file = \"/k\"; state = \"/s\"; network_secret = \"" S1
	      "\"; fwmark = 0xfffffffe; tun = false;\n"
	      "ports = ( { address = \"192.0.2.1\"; port = 7; }, { address = \"::1\"; } );\n"
	      "host = { name = \"x0\"; mtu = 1400; addresses = [ \"10.1.0.1/24\", \"10.2.0.1\" ]; "
	      "};\n"
	      "workers = { cpus = [ 3, 5 ]; idle = \"poll\"; }; max_peers = 9; max_sessions = 99;\n"
	      "max_routes = 999; log = { level = \"debug\"; format = \"json\"; "
	      "levels = { routing = \"warn\"; confinement = \"error\"; }; };\n"
	      "peering = \"open\"; max_open_peers = 7;\n"
	      "discovery = { interfaces = [ \"eth0\", \"fifteen-letters\" ]; };\n"
	      "telemetry = { mode = \"0600\"; group = \"adm\"; }; "
	      "node_info = { name = \"n.1\"; neighbours = true; version = true; };\n"
	      "routes = ( { prefix = \"192.0.2.0/24\"; peer = \"z\"; } );\n"
	      "peers = ( " L2 ",\n"
	      "{ name = \"z\"; key = \"" K1 "\"; endpoints = [ \"h.example:1\", \"[::1]:2\" ]; \n"
	      "keepalive = 25; psk = \"" S1 "\"; } );",
	      &c);
	CU_ASSERT_STRING_EQUAL(c.key_file, "/k");
	CU_ASSERT_STRING_EQUAL(c.state, "/s");
	CU_ASSERT(c.has_network_secret && c.network_secret[31] == 31);
	CU_ASSERT(c.fwmark == 0xfffffffe && !c.host.enabled && c.host.mtu == 1400);
	CU_ASSERT(c.port_count == 2 && c.ports[0].port == 7 && c.ports[1].port == XY_PORT_DEFAULT);
	CU_ASSERT(c.ports[0].line == 2);
	CU_ASSERT_STRING_EQUAL(c.host.name, "x0");
	CU_ASSERT(c.host.address_count == 2 && c.host.addresses[0].len == 96 + 24);
	CU_ASSERT(c.host.addresses[0].addr.b[15] == 1 && c.host.addresses[1].len == 128);
	CU_ASSERT(c.workers.count == 2 && c.workers.cpu_count == 2 && c.workers.cpus[1] == 5);
	CU_ASSERT(c.workers.idle == XY_IDLE_POLL && c.log_level == XY_LOG_DEBUG);
	CU_ASSERT(c.log_format == XY_LOG_JSON && c.log_levels[XY_PART_LINKS] == XY_LOG_AS_IT_IS);
	CU_ASSERT(c.log_levels[XY_PART_ROUTING] == XY_LOG_WARN &&
		  !c.log_levels[XY_PART_CONFINEMENT]);
	CU_ASSERT(c.max_peers == 9 && c.max_sessions == 99 && c.max_routes == 999);
	CU_ASSERT(c.telemetry.mode == 0600);
	CU_ASSERT(c.peering == XY_PEERING_OPEN && c.max_open_peers == 7 && c.discovery.count == 2);
	CU_ASSERT_STRING_EQUAL(c.discovery.interfaces[1], "fifteen-letters");
	CU_ASSERT_STRING_EQUAL(c.telemetry.group, "adm");
	CU_ASSERT(c.node_info.enabled && c.node_info.neighbours && c.node_info.version);
	CU_ASSERT_STRING_EQUAL(c.node_info.name, "n.1");
	CU_ASSERT_FATAL(c.peer_count == 2 && c.route_count == 1 && c.routes[0].peer == 1);
	CU_ASSERT_STRING_EQUAL(xy_prefix_str(&c.routes[0].prefix, buf), "192.0.2.0/24");
	CU_ASSERT(c.peers[0].leaf && c.peers[0].allowed.count == 1 && !c.peers[0].has_psk);
	CU_ASSERT_STRING_EQUAL(xy_prefix_str(&c.peers[0].allowed.v[0], buf), "10.1.0.5/32");
	CU_ASSERT_STRING_EQUAL(xy_key_str(&c.peers[1].key, key), K1);
	CU_ASSERT(c.peers[1].has_psk && c.peers[1].psk[1] == 1 && c.peers[1].keepalive == 25);
	CU_ASSERT_EQUAL_FATAL(c.peers[1].endpoint_count, 2);
	CU_ASSERT_STRING_EQUAL(c.peers[1].endpoints[1], "[::1]:2");
	CU_ASSERT_STRING_EQUAL(c.peers[1].endpoints[0], "h.example:1");
	CU_ASSERT(c.peers[1].line == 11);
	xy_config_free(&c);
}

// Line numbers of sources are not a setting, nor is what the text was.
static bool same(struct xy_config *a, struct xy_config *b)
{
	memcpy(a->digest, b->digest, sizeof(a->digest));
	for (unsigned i = 0; i < XY_CONFIG_PORTS; i++)
		a->ports[i].line = b->ports[i].line = 0;
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void check_defaults(const struct xy_config_group *g, const char *open, const char *close)
{
	struct xy_config c, d;
	char text[512], end[64];
	for (size_t i = 0; i < g->count; i++) {
		const struct xy_config_key *k = &g->keys[i];
		if (k->type == XY_CONFIG_GROUP) {
			snprintf(text, sizeof(text), "%s %s = {", open, k->name);
			snprintf(end, sizeof(end), "}; %s", close);
			check_defaults(k->group, text, end);
		}
		if (strcmp(k->name, "ports") == 0 && k->group)
			check_defaults(k->group, "ports = ( {", "} );");
		if (!k->def || g->name[0] == 'p') // peers have no default to compare with
			continue;
		snprintf(text, sizeof(text), "%s %s = %s; %s", open, k->name, k->def, close);
		parse(text, &c);
		xy_config_init(&d);
		bool right = same(&c, &d);
		if (!right)
			printf("\n  not the default: %s\n", text);
		CU_ASSERT(right);
		xy_config_free(&c);
	}
}

static void test_defaults(void)
{
	check_defaults(&xy_config_schema, "", "");
}

static void replace(char *text, const char *what, const char *by)
{
	for (char *at = text; (at = strstr(at, what));)
		memcpy(at, by, strlen(by));
}

// Every "#setting" of the example without its #, and with a secret and keys of one's own.
static char *uncomment(const char *from)
{
	char *text = malloc(strlen(from) + 1), *to = text;
	for (bool start = true; *from; from++) {
		if (!(start && from[0] == '#' && from[1] != ' '))
			*to++ = *from;
		start = *from == '\n';
	}
	*to = 0;
	replace(text, EXAMPLE_SECRET, S1);
	replace(text, EXAMPLE_KEY, K1);
	return text;
}

static void test_example(void)
{
	struct xy_config c, d;
	char *text = xy_config_example();
	CU_ASSERT_FATAL(text != NULL);
	parse(text, &c);
	xy_config_init(&d);
	CU_ASSERT(same(&c, &d));
	xy_config_free(&c);
	char *all = uncomment(text);
	parse(all, &c);
	CU_ASSERT(c.peer_count == 1 && c.route_count == 1 && c.has_network_secret);
	CU_ASSERT(c.host.address_count == 1 && c.workers.cpu_count == 1);
	xy_config_free(&c);
	free(all);
	free(text);
}

static int load(const char *text, mode_t mode, struct xy_err *err)
{
	char path[] = "/tmp/xylem-config-test-XXXXXX";
	struct xy_config c;
	int fd = mkstemp(path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	fchmod(fd, mode);
	close(fd);
	int ret = xy_config_load(path, &c, err);
	CU_ASSERT(ret == 0 || strstr(err->text, path));
	unlink(path);
	xy_config_free(&c);
	return ret;
}

static void test_load(void)
{
	struct xy_err err = {""};
	struct xy_config c;
	CU_ASSERT(load("# all as it comes\n", 0644, &err) == 0);
	CU_ASSERT(load("", 0644, &err) == -ENODATA); // cut short by an editor, or by a full disk
	CU_ASSERT(strstr(err.text, "is empty") != NULL);
	CU_ASSERT(load("network_secret = \"" S1 "\";", 0640, &err) == 0);
	CU_ASSERT(load("network_secret = \"" S1 "\";", 0644, &err) == -EPERM);
	CU_ASSERT(strstr(err.text, "chmod 600") != NULL);
	CU_ASSERT(load("peers = ( { name = \"a\"; key = \"" K1 "\"; psk = \"" S1 "\"; } );", 0604,
		       &err) == -EPERM);
	CU_ASSERT(load("\nlisten = x;", 0600, &err) == -EINVAL);
	CU_ASSERT(xy_config_load("/nowhere/xylem.conf", &c, &err) == -ENOENT);
	CU_ASSERT(strstr(err.text, "/nowhere/xylem.conf: ") && strstr(err.text, "genconf"));
	CU_ASSERT(xy_config_load("/tmp", &c, &err) == -EISDIR);
}

static bool is_default(const struct xy_prefix *p, bool v4)
{
	return xy_prefix_is_default(p) && xy_prefix_is_v4(p) == v4;
}

// An exit stands where the user would have written what it means.
static void test_exit(void)
{
	struct xy_config c;
	parse("routing = { accept = ( { key = \"" K2 "\"; prefix = \"10.0.0.0/8\"; } ); };\n"
	      "exit = \"a\"; peers = ( " P1 " );",
	      &c);
	CU_ASSERT(c.exit.used && !c.exit.offer && c.exit.line == 2);
	CU_ASSERT(strcmp(c.exit.name, "a") == 0);
	CU_ASSERT_EQUAL_FATAL(c.routing.accept_count, 3);
	for (unsigned i = 1; i < 3; i++) {
		const struct xy_config_accept *a = &c.routing.accept[i];
		CU_ASSERT(memcmp(&a->key, &c.peers[0].key, sizeof(a->key)) == 0 && a->line == 2);
		CU_ASSERT(is_default(&a->prefix, i == 2));
	}
	xy_config_free(&c);
	parse("exit = \"offer\"; exit_for = [ \"" K2 "\", \"a\" ]; peers = ( " P1 " );", &c);
	CU_ASSERT(c.exit.offer && !c.exit.used && !c.exit.all);
	CU_ASSERT_FATAL(c.exit.user_count == 2 && c.routing.announce.count == 2);
	CU_ASSERT(memcmp(&c.exit.users[1], &c.peers[0].key, sizeof(struct xy_key)) == 0);
	CU_ASSERT(is_default(&c.routing.announce.v[0], false) &&
		  is_default(&c.routing.announce.v[1], true));
	xy_config_free(&c);
	parse("exit = \"offer\"; exit_for = [ \"all\" ];", &c);
	CU_ASSERT(c.exit.all && c.exit.user_count == 0);
	xy_config_free(&c);
}

// A FIFO that nobody writes to must not hold the start, nor a helper at a reload.
static void test_fifo(void)
{
	char dir[] = "/tmp/xylem-config-test-XXXXXX", path[64];
	struct xy_err err = {""};
	struct xy_config c;
	CU_ASSERT_FATAL(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	CU_ASSERT_FATAL(mkfifo(path, 0600) == 0);
	CU_ASSERT(xy_config_load(path, &c, &err) == -ENODATA); // no writer
	int fd = open(path, O_RDWR | O_CLOEXEC);
	CU_ASSERT(xy_config_load(path, &c, &err) == -ETIMEDOUT); // one who is silent
	CU_ASSERT(write(fd, "listen = 1;", 11) == 11);
	CU_ASSERT(xy_config_load(path, &c, &err) == -ETIMEDOUT); // and one who does not end
	close(fd);
	unlink(path);
	rmdir(dir);
}

static void test_nul(void)
{
	struct xy_config c;
	struct xy_err err;
	CU_ASSERT(xy_config_parse("t", "\n# a\0b", 6, &c, &err) == -EINVAL);
	CU_ASSERT(strncmp(err.text, "t:2: a zero byte", 16) == 0);
	xy_config_free(&c);
}

XY_UNIT_MAIN("config", {"texts, each with its error", test_table},
	     {"what has no effect", test_useless}, {"many of them", test_many_useless},
	     {"all errors at once", test_several}, {"very many of them", test_many_errors},
	     {"endpoints", test_endpoints}, {"BOM, line ends, letters", test_forms},
	     {"every text cut at every length", test_cut}, {"values arrive", test_values},
	     {"ports on cards", test_cards},
	     {"documented defaults are the defaults", test_defaults},
	     {"what routing is told", test_routing}, {"exits", test_exit},
	     {"the example parses, commented and not", test_example},
	     {"files: missing, readable by everyone", test_load}, {"a FIFO for a file", test_fifo},
	     {"a zero byte", test_nul})

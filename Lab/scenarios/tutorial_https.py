"""HTTP and HTTPS by one mark, with certificates of a private CA: both meet one server, under -p and under sh."""

from runner.files import director_of_instructions, script, type_in, write
from runner.host import Failure, until
from runner.servers import quiet_about_vip, start_nginx
from topologies.tutorial import VIP

from .tutorial_pcc import CLIENTS, ROUNDS, expect_both, page

NAME = "www.lab.example"
# The authority and the certificate are made on the director, as the instructions do, and taken to the servers.
AUTHORITY = f"""#!/bin/bash
set -e
mkdir -p /etc/pki/CA/private /etc/pki/web
cd /etc/pki/CA
(umask 077; openssl genrsa -out private/cakey.pem 2048) 2> /dev/null
openssl req -new -x509 -key private/cakey.pem -out cacert.pem -days 365 -subj "/CN=Lab CA"
(umask 077; openssl genrsa -out /etc/pki/web/http.key 2048) 2> /dev/null
openssl req -new -key /etc/pki/web/http.key -out /etc/pki/web/http.csr -subj "/CN={NAME}"
echo "subjectAltName=DNS:{NAME}" > /etc/pki/web/names
openssl x509 -req -in /etc/pki/web/http.csr -CA cacert.pem -CAkey private/cakey.pem -CAcreateserial \\
    -days 365 -extfile /etc/pki/web/names -out /etc/pki/web/http.crt 2> /dev/null
"""
TLS = """
        listen 443 ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
"""
PERSISTENT = f"""
    ipvsadm -C
    iptables -t mangle -A PREROUTING -p tcp --dport 80 -d {VIP} -j MARK --set-mark 10
    iptables -t mangle -A PREROUTING -p tcp --dport 443 -d {VIP} -j MARK --set-mark 10
    ipvsadm -A -f 10 -s rr -p 1800
    ipvsadm -a -f 10 -r 192.168.10.200
    ipvsadm -a -f 10 -r 192.168.10.201
"""
# A script that is started and stopped, with source hashing in place of persistence.
SERVICE = f"""#!/bin/bash
case $1 in
start)
    iptables -F
    ipvsadm -C
    iptables -t mangle -A PREROUTING -d {VIP} -p tcp -m multiport --dports 443,80 -j MARK --set-mark 3
    ipvsadm -A -f 3 -s sh
    ipvsadm -a -f 3 -r 192.168.10.200 -g -w 1
    ipvsadm -a -f 3 -r 192.168.10.201 -g -w 1
    ;;
stop)
    iptables -F
    ipvsadm -C
    ;;
esac
"""


def prepare(lab):
    lab.build("tutorial")
    lab.host("client").address("eth0", *(f"{address}/24" for address in CLIENTS[1:]))
    host = director_of_instructions(lab)
    script(host, "/root/authority.sh", AUTHORITY)
    # What scp would carry to the servers and to the client.
    taken = {}
    for name, path in (("key", "web/http.key"), ("certificate", "web/http.crt"), ("authority", "CA/cacert.pem")):
        taken[name] = lab.file(name)
        taken[name].write_text(host.run("cat", f"/etc/pki/{path}"))
    for name in ("server1", "server2"):
        quiet_about_vip(lab.host(name), VIP, "lo")
        start_nginx(lab.host(name), more=TLS.format(**taken))
    return lab.director(interfaces=("eth0",)), str(taken["authority"])


def run(lab):
    director, authority = prepare(lab)
    host, client = lab.host("director"), lab.host("client")
    trusting = ("--cacert", authority, "--resolve", f"{NAME}:443:{VIP}", "--resolve", f"{NAME}:80:{VIP}")

    def together(address):
        """The one server that gave this client every page, by HTTPS and HTTP in turn."""
        servers = [
            page(client, address, f"{scheme}://{NAME}/", *trusting)
            for _ in range(ROUNDS)
            for scheme in ("https", "http")
        ]
        print(f"  {address}: {' '.join(servers)}")
        if len(set(servers)) != 1:
            raise Failure(f"HTTP and HTTPS of {address} went to several servers: {servers}")
        return servers[0]

    def expect_followed(text):
        """The director follows the host's rules within two seconds."""
        until(lambda: text in director.ctl("mark -L", show=False), f"mark -L to show {text!r}", seconds=2)

    type_in(host, PERSISTENT)
    expect_followed("--dport 443 -j MARK")
    host.run("ipvsadm", "-ln", show=True)
    expect_both(together(address) for address in CLIENTS)

    type_in(host, "iptables -t mangle -F")
    write(host, "/root/service.sh", SERVICE)
    type_in(host, "bash /root/service.sh start\nipvsadm -ln")
    expect_followed("-m multiport --dports 443,80 -j MARK")
    # Which server an address hashes to is IPVS's choice, and no even one.
    met = {together(address) for address in CLIENTS}
    if met != {"server1", "server2"}:
        raise Failure(f"source hashing sends all clients to {met}")
    type_in(host, "bash /root/service.sh stop")
    if "FWM" in host.run("ipvsadm", "-ln", show=True):
        raise Failure("the script's stop leaves a service standing")
    director.stop()

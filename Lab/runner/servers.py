"""Real servers: nginx, vsftpd, and what the three forwarding methods ask of a server."""

import os
import shutil
import subprocess

from .host import Failure, until

PAYLOAD_BYTES = 100 * 1000 * 1000

NGINX = """
user root;
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type text/plain;
    sendfile on;
    keepalive_timeout 65;
    keepalive_requests 10000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen {port};
        listen [::]:{port};
        root {directory}/html;
        location = /payload {{ alias {payload}; }}
        location = /client {{ return 200 "$remote_addr\n"; }}
        {more}
    }}
}}
"""


def start_nginx(host, port=80, more=""):
    """An nginx with files of its own, whose page says on which server it is; `more` goes into its configuration."""
    directory = host.lab.file(f"nginx-{host.name}")
    # It may have run before.
    (directory / "html").mkdir(parents=True, exist_ok=True)
    (directory / "html" / "index.html").write_text(host.name + "\n")
    config = directory / "nginx.conf"
    config.write_text(
        NGINX.format(directory=directory, port=port, payload=host.lab.file("payload"), more=more)
    )
    host.say(["nginx", "&"])
    server = host.start(
        *("nginx", "-p", str(directory), "-c", str(config), "-e", str(directory / "error.log")),
        log=f"{host.name}.log",
    )

    def serving():
        if server.poll() is not None:
            raise Failure(f"nginx on {host.name}:\n" + host.lab.file(f"{host.name}.log").read_text())
        return host.attempt("curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{port}/").returncode == 0

    until(serving, f"nginx on {host.name}")
    return server


VSFTPD = """
listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
local_enable=NO
no_anon_password=YES
anon_root={directory}/files
connect_from_port_20=YES
ftp_data_port=20
secure_chroot_dir={directory}/empty
seccomp_sandbox=NO
isolate_network=NO
"""


def start_vsftpd(host, payload):
    """An FTP server that offers a file as /file to everybody."""
    directory = host.lab.file(f"vsftpd-{host.name}")
    for name in ("files", "empty"):
        (directory / name).mkdir(parents=True)
        (directory / name).chmod(0o555)
    shutil.copy(payload, directory / "files" / "file")
    config = directory / "vsftpd.conf"
    config.write_text(VSFTPD.format(directory=directory))
    host.say(["vsftpd", str(config), "&"])
    server = host.start("vsftpd", str(config), log=f"{host.name}.log")

    def serving():
        if server.poll() is not None:
            raise Failure(f"vsftpd on {host.name}:\n" + host.lab.file(f"{host.name}.log").read_text())
        return host.attempt("curl", "-sf", "-o", "/dev/null", "ftp://127.0.0.1/file").returncode == 0

    until(serving, f"vsftpd on {host.name}")
    return server


def make_payload(lab):
    """A file that every server offers as /payload; returns its path. Random, so that no order of blocks looks right."""
    path = lab.file("payload")
    with open(path, "wb") as file:
        for _ in range(100):
            file.write(os.urandom(PAYLOAD_BYTES // 100))
    return path


def quiet_about_vip(host, vip, interface):
    """Holds the VIP on a server of DR or TUN without telling the network, as the tutorials do."""
    host.set(
        conf__all__arp_ignore=1,
        conf__all__arp_announce=2,
        conf__lo__arp_ignore=1,
        conf__lo__arp_announce=2,
    )
    host.address(interface, f"{vip}/32")


def receive_ipip(host, must_be_fast=False):
    """A tunnel device `tunnel` that unwraps IPIP: the kernel's where it has one, else the lab's own receiver.

    For measuring there is one that lets the kernel do the work; it takes neither fragments nor what breaks rules.
    """
    kernel = host.attempt("ip", "link", "add", "name", "tunnel", "type", "ipip", "remote", "any")
    if kernel.returncode == 0:
        host.say(["ip", "link", "add", "name", "tunnel", "type", "ipip"])
    elif not (must_be_fast and unwrap_ipip(host)):
        receiver = host.lab.compile("ipip/receiver.c")
        host.say(["receiver", "tunnel", "&"])
        host.start(receiver, "tunnel", log=f"{host.name}.log")
        until(
            lambda: host.attempt("ip", "link", "show", "tunnel").returncode == 0,
            f"the IPIP receiver on {host.name}",
        )
    host.run("ip", "link", "set", "tunnel", "up")
    # The client's address leads back by eth0, not by the tunnel: a reverse path check would refuse all.
    host.set(conf__all__rp_filter=0, conf__tunnel__rp_filter=0)


def unwrap_ipip(host):
    """Has a BPF program on eth0 unwrap IPIP, where the kernel lets it; the device `tunnel` only holds addresses."""
    unwrapping = host.start(host.lab.compile("ipip/unwrap.c"), "eth0", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if unwrapping.stdout.readline() != b"ready\n":
        return False
    host.say(["unwrap", "eth0", "&"])
    host.run("ip", "tuntap", "add", "dev", "tunnel", "mode", "tun")
    return True

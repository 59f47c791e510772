# SPDX-License-Identifier: GPL-2.0
"""Web servers: nginx, with TLS by itself and by the kernel, haproxy, curl."""
import re

from pair import CLIENT, SERVER, Program, Run, same
from xenlab import deadline

# The name is that of the server, whatever address leads there
CERTIFICATE = """cd /root && [ -e web.crt ] || openssl req -x509 -newkey \\
	ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 \\
	-keyout web.key -out web.crt -subj /CN=guest2 \\
	-addext subjectAltName=DNS:guest2,DNS:localhost 2>/dev/null"""
NGINX = """
worker_processes 1; error_log /tmp/nginx.err; pid /run/web-nginx.pid;
events { worker_connections 64; }
http {
	access_log off; sendfile on; root /srv/web;
	server { listen 8080; }
	ssl_certificate /root/web.crt; ssl_certificate_key /root/web.key;
	ssl_session_tickets off;
	server { listen 8443 ssl; }
	server { listen 8444 ssl; ssl_conf_command Options KTLS; }
}
"""
# wrk looks at each answer; what is wrong it says itself
CHECK = """
local wanted, threads = nil, {}
function setup(thread) table.insert(threads, thread) end
function init(args)
	wrong, right = 0, 0
	wanted = io.open("/srv/web/page"):read("*a")
end
function response(status, headers, body)
	if status == 200 and body == wanted then
		right = right + 1
	else
		wrong = wrong + 1
	end
end
function done(summary, latency, requests)
	local wrong, right = 0, 0
	for _, thread in ipairs(threads) do
		wrong = wrong + thread:get("wrong")
		right = right + thread:get("right")
	end
	local e = summary.errors
	print(string.format("wrong=%d right=%d errors=%d", wrong, right,
		e.connect + e.read + e.write + e.status + e.timeout))
end
"""
HAPROXY = """
global
	maxconn 100
defaults
	timeout connect 60s
	timeout client 300s
	timeout server 300s
listen http
	mode http
	bind :8100
	server back {back}:8080
listen splice
	mode tcp
	option splice-auto
	bind :8101
	server back {back}:8080
"""
KIB = 1024


class Web(Program):
    """What web servers have in common: a page and a file."""
    packages = ("nginx", "wrk", "curl")
    file_mib = 16
    where = SERVER      # of nginx

    def prepare(self, pair):
        for where in (CLIENT, SERVER):
            pair.write(where, "/root/nginx.conf", NGINX)
            pair.write(where, "/root/check.lua", CHECK)
            pair.write(where, "/srv/web/page", "".join(
                f"{number:7}\n" for number in range(2 * KIB)))
        pair.sh(SERVER, CERTIFICATE)
        pair.write(CLIENT, "/root/web.crt",
                   pair.sh(SERVER, "cat /root/web.crt"))
        self.make_file(pair)

    def make_file(self, pair):
        """A file that no two programs agree on by chance."""
        pair.sh(self.where, "[ -e /srv/web/file ] || head -c "
                f"{self.file_mib}M /dev/urandom >/srv/web/file")
        self.hash = pair.hash_of(self.where, "/srv/web/file")

    def finish(self, pair):
        pair.sh(self.where, "rm -f /srv/web/file")

    def serve(self, pair):
        """nginx."""
        pair.serve(self.where, "nginx -c /root/nginx.conf -g 'daemon off;'",
                   8080)

    @staticmethod
    def wrk(pair, url):
        """Requests per second; each answer is as it should be."""
        # On a busy machine nothing might come within so short a time
        seconds = round(max(4, deadline.scaled(4)))
        told = pair.sh(CLIENT, f"wrk -t 1 -c 8 -d {seconds} --timeout 60 -s "
                       f"/root/check.lua {url}")
        wrong, right, errors = map(int, re.search(
            r"wrong=(\d+) right=(\d+) errors=(\d+)", told).groups())
        same((wrong, errors, right > 0), (0, 0, True), f"answers: {told}")
        return float(re.search(r"Requests/sec:\s*([\d.]+)", told).group(1))

    def fetch(self, pair, url, words=""):
        """MB/s of the file; what came is what is there."""
        speed, checksum = pair.sh(
            CLIENT, f"curl -sS -f {words} -o /root/file "
            f"-w '%{{speed_download}}\\n' {url} && sha256sum </root/file && "
            "rm /root/file").split()[:2]
        return self.judge(speed, checksum)

    def judge(self, speed, checksum):
        """MB/s, if the checksum is that of the file."""
        same(checksum, self.hash, "file")
        return float(speed) / 1e6


class Nginx(Web):
    """Plain HTTP."""
    what = "wrk, 8 connections, 4 s or more, page of 16 KiB, each answer " \
           "compared; curl of 16 MiB, checksum"

    def run(self, pair):
        self.serve(pair)
        figure = self.wrk(pair, f"http://{pair.host}:8080/page")
        self.fetch(pair, f"http://{pair.host}:8080/file")
        return Run(figure, {"file": self.hash})


class NginxTls(Web):
    """TLS, encrypted by the program or, with @ktls, by the kernel."""
    packages = Web.packages + ("openssl",)
    unit = "MB/s"
    what = "the same over TLS 1.3, by OpenSSL"
    port, ktls = 8443, False
    # OpenSSL asks for the kernel's TLS on each connection, to use it or not
    reasons = frozenset({"ulp", "peer_left"})

    def prepare(self, pair):
        super().prepare(pair)
        # It is not loaded by itself for a program without CAP_NET_ADMIN
        pair.sh(SERVER, "modprobe tls")

    @staticmethod
    def records(pair):
        """How many sockets the kernel has encrypted for, on the server."""
        told = pair.sh(SERVER, "cat /proc/net/tls_stat")
        return sum(int(number) for number
                   in re.findall(r"^TlsTxSw\s+(\d+)", told, re.M))

    def run(self, pair):
        self.serve(pair)
        before = self.records(pair)
        self.wrk(pair, f"https://{pair.host}:{self.port}/page")
        figure = self.fetch(pair, f"https://{pair.host}:{self.port}/file",
                            "--cacert /root/web.crt")
        ktls = self.records(pair) > before
        same(ktls, self.ktls, "kTLS in use")
        return Run(figure, {"file": self.hash, "ktls": ktls})


class NginxKtls(NginxTls):
    """The kernel encrypts: such a connection goes back to TCP for it."""
    what = "the same over TLS 1.3, by the kernel (kTLS) on the server"
    port, ktls = 8444, True


class Haproxy(Web):
    """client, haproxy on the server, nginx on the client's guest."""
    packages = ("haproxy",) + Web.packages
    where = CLIENT
    what = "guest1 to haproxy in guest2 to nginx in guest1: wrk and curl as " \
           "for nginx by HTTP; curl by TCP with splice"

    def prepare(self, pair):
        super().prepare(pair)
        pair.write(CLIENT, "/root/web.key",
                   pair.sh(SERVER, "cat /root/web.key"))
        pair.write(SERVER, "/root/haproxy.cfg", HAPROXY.format(back=CLIENT))

    def run(self, pair):
        self.serve(pair)
        pair.serve(SERVER, "haproxy -db -f /root/haproxy.cfg", 8101)
        figure = self.wrk(pair, f"http://{pair.host}:8100/page")
        for port in (8100, 8101):
            self.fetch(pair, f"http://{pair.host}:{port}/file")
        return Run(figure, {"file": self.hash})


class Curl(Web):
    """A big file; the first connection is cut, the second one resumes."""
    packages = ("curl", "nginx")
    unit = "MB/s"
    part = "/root/part"

    def __init__(self, file_mib):
        self.file_mib = file_mib
        self.what = f"file of {file_mib} MiB: the first quarter, then cut; " \
                    "the rest by curl -C -; checksum"

    def run(self, pair):
        self.serve(pair)
        url = f"http://{pair.host}:8080/file"
        size = self.file_mib * KIB * KIB
        # Whoever reads it ends: curl cannot write, and says 23
        status = pair.sh(
            CLIENT, f"bash -c 'curl -sS {url} 2>/dev/null | head -c "
            f"{size // 4} >{self.part}; echo ${{PIPESTATUS[0]}}'").strip()
        cut = int(pair.sh(CLIENT, f"stat -c %s {self.part}"))
        told = pair.sh(
            CLIENT, f"curl -sS -f -C - -o {self.part} -w "
            f"'%{{http_code}} %{{size_download}} %{{speed_download}}' {url}",
            timeout=900).split()
        checksum = pair.hash_of(CLIENT, self.part)
        pair.sh(CLIENT, f"rm {self.part}")
        same((status, cut, told[:2]),
             ("23", size // 4, ["206", str(size - size // 4)]), "resume")
        return Run(self.judge(told[2], checksum), {"file": checksum})


PROGRAMS = {"nginx": Nginx, "nginx_tls": NginxTls, "nginx_ktls": NginxKtls,
            "haproxy": Haproxy}

"""What stands around a block of nginx in tests, in a scratch directory."""

from harness import ROOT

MAIN = """%s worker_processes 1; daemon off; pid %%(dir)s/nginx.pid;
worker_rlimit_nofile 4096;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path %%(dir)s/body; fastcgi_temp_path %%(dir)s/fastcgi;
    proxy_temp_path %%(dir)s/proxy; scgi_temp_path %%(dir)s/scgi;
    uwsgi_temp_path %%(dir)s/uwsgi;
    include shop.conf;
}
""" % ("user %(user)s;" if ROOT else "")

"""nginx, as it stands before servers of logs in many places: with passwords, limits, and answers of its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.services.programs import find
from tests.services.server import Server

CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /nginx {{ return 200; }}
        location / {{
            {directives}
        }}
    }}
}}
"""


class Nginx(Server):
    """nginx, one process, before a server. What it answers by itself is a page of HTML.

    `directives` are those of the place that hands on, such as `{"client_max_body_size": "10k"}`.
    """

    health_path = "/nginx"
    user = "app"
    password = "sesame"

    def __init__(self, folder: Path, upstream: Server, directives: Mapping[str, str] | None = None) -> None:
        super().__init__(folder)
        self._always = {"proxy_pass": upstream.url, "proxy_set_header": "Host $http_host"}
        self._directives = directives or {}
        digest = base64.b64encode(hashlib.sha1(self.password.encode()).digest()).decode()
        self._users = folder / "users"
        self._users.write_text(f"{self.user}:{{SHA}}{digest}\n")

    @property
    def wants_a_password(self) -> Mapping[str, str]:
        """The directives for it."""
        return {"auth_basic": "logs", "auth_basic_user_file": str(self._users)}

    def command(self) -> Sequence[str | Path]:
        config = self.folder / "nginx.conf"
        lines = [f"{name} {text};" for name, text in {**self._always, **self._directives}.items()]
        config.write_text(CONFIG.format(folder=self.folder, port=self.port, directives=" ".join(lines)))
        return [find("nginx"), "-p", self.folder, "-e", "stderr", "-c", config]

    def change(self, directives: Mapping[str, str] | None = None) -> None:
        """Go on with other directives."""
        self.stop()
        self._directives = directives or {}
        self.start()

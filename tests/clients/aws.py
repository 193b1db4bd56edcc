#!/usr/bin/env python3
"""Services of AWS for tests: aws.py FOLDER KEYS, with the certificate that origin.py made in FOLDER. Prints its port.

A request that is not signed by the keys in the file KEYS (of AWS's shared form, read anew each time) is answered 403; the signatures are
those of AWS's own library. What is put into a bucket can be got back, STS says who it is, and the others list what they have.
"""

import configparser
import hashlib
import http.server
import pathlib
import re
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

from awscli.botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from awscli.botocore.awsrequest import AWSRequest
from awscli.botocore.credentials import Credentials

folder = pathlib.Path(sys.argv[1])
objects = {}


def keys():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(sys.argv[2])
    given = parser["default"]
    return Credentials(given["aws_access_key_id"], given["aws_secret_access_key"], given.get("aws_session_token"))


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def wrong(self, body):
        """What is wrong with the signature, or None."""
        real = keys()
        query = parse_qs(urlsplit(self.path).query)
        if "X-Amz-Signature" in query:
            scope, names, date = query["X-Amz-Credential"][0], query["X-Amz-SignedHeaders"][0], query["X-Amz-Date"][0]
            signature, token = query["X-Amz-Signature"][0], query.get("X-Amz-Security-Token", [None])[0]
            path = re.sub(r"&?X-Amz-Signature=\w+", "", self.path)
        else:
            header = re.match(r"AWS4-HMAC-SHA256 Credential=(\S+), ?SignedHeaders=(\S+), ?Signature=(\w+)$",
                              self.headers.get("Authorization", ""))
            if not header:
                return "not signed"
            (scope, names, signature), date, path = header.groups(), self.headers["X-Amz-Date"], self.path
            token = self.headers.get("X-Amz-Security-Token")
        access, _, region, service, _ = scope.split("/")
        if access != real.access_key:
            return f"the key {access} is not known"
        if token != real.token:
            return "another token"
        told = self.headers.get("X-Amz-Content-SHA256", "")
        if re.fullmatch(r"[0-9a-f]{64}", told) and told != hashlib.sha256(body).hexdigest():
            return "another body"
        kind = S3SigV4QueryAuth if "X-Amz-Signature" in query else S3SigV4Auth if service == "s3" else SigV4Auth
        signer = kind(real, service, region)
        headers = {name: self.headers[name] for name in names.split(";")}
        request = AWSRequest(self.command, f"https://{self.headers['Host']}{path}", headers=headers, data=body)
        request.context["timestamp"] = date
        request.context["signing"] = {"signature_version": "v4"}
        right = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
        return None if right == signature else "another signature"

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return self.chunks(self.rfile)

    def chunks(self, stream):
        body = b""
        while size := int(stream.readline().split(b";")[0], 16):
            body += stream.read(size)
            stream.readline()
        while stream.readline().strip():
            pass
        return body

    def answer(self, status, text, kind="text/xml"):
        body = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.command == "PUT":
            self.send_header("ETag", '"0"')
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def serve(self):
        body = self.body()
        path = urlsplit(self.path).path
        if why := self.wrong(body):
            self.answer(403, f"<Error><Code>AccessDenied</Code><Message>{why}</Message></Error>")
        elif "aws-chunked" in self.headers.get("Content-Encoding", ""):
            import io
            objects[path] = self.chunks(io.BytesIO(body))
            self.answer(200, "")
        elif self.command == "PUT":
            objects[path] = body
            self.answer(200, "")
        elif path in objects:
            self.answer(200, objects[path], "application/octet-stream")
        elif b"GetCallerIdentity" in body:
            self.answer(200, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/agent</Arn><UserId>"
                        + keys().access_key + "</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
        elif "ListTables" in self.headers.get("X-Amz-Target", ""):
            self.answer(200, '{"TableNames": ["mine"]}', "application/x-amz-json-1.0")
        elif path.startswith("/2015-03-31/functions"):
            self.answer(200, '{"Functions": []}', "application/json")
        else:
            self.answer(404, "<Error><Code>NoSuchKey</Code></Error>")

    do_GET = do_HEAD = do_POST = do_PUT = serve


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        pass


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(folder / "origin.pem", folder / "origin.key")
server = Server(("127.0.0.1", 0), Service)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts and executed notebooks in a bucket of S3, each under the key of its work."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..values.errors import EngineError
from ..values.repository import require_below
from ..values.verdict import Verdict

_AT_ONCE = 8
_DIGEST = "sha256"  # in the metadata of an object: its ETag is no digest of what is uploaded in parts
# What of a verdict is about the call and not about the work.
_OF_THE_CALL = {"cached": False, "executed": None, "environment_cached": False}


@dataclass(frozen=True)
class Bucket:
    """Where it is; the credentials are in the environment, where boto3 looks for them (``AWS_*``), and nowhere else.

    prefix: of all names in it. endpoint: URL, None for that of AWS. ca: path of the certificates to trust.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    ca: str | None = None

    @classmethod
    def of(cls, results: dict | None) -> Bucket | None:
        """Make the value from the option ``results`` of the module. Raises EngineError where it, or boto3, is not fit."""
        given = (results or {}).get("bucket")
        if not given:
            return None
        if not given.get("name"):
            raise EngineError("results.bucket has no name: give that of the bucket.")
        made = cls(**{name: value for name, value in given.items() if value})
        require_below(made.prefix, "results.bucket.prefix")
        if made.endpoint and not made.endpoint.startswith(("https://", "http://")):
            raise EngineError(f"results.bucket.endpoint is {made.endpoint!r}: give the URL of the service.")
        made.client()
        return made

    def client(self):
        """Return a client of S3. Raises EngineError without boto3, or where its own settings are not fit."""
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError
        except ImportError:
            raise EngineError(
                "results.bucket needs the Python package boto3, which this interpreter lacks: install it, or leave bucket out.",
                "missing_library",
            ) from None
        config = Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=20, read_timeout=120)
        try:
            return boto3.client(
                "s3", endpoint_url=self.endpoint, region_name=self.region, verify=self.ca or None, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise EngineError(f"results.bucket cannot be used: {str(error).rstrip('.')}.") from None

    def keep(self, outcome) -> str:
        """Write the verdicts of an outcome that are not there yet; return a sentence about those that could not be, or ``""``."""
        client = self.client()
        known = [verdict for verdict in outcome.verdicts if verdict.notebook in outcome.keys]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            told = list(threads.map(lambda verdict: self._keep(client, outcome.keys[verdict.notebook], verdict), known))
        failed = [words for words in told if words]
        if not failed:
            return ""
        return (
            f"The results of {len(failed)} of {len(known)} notebooks could not be written to the bucket {self.name}:"
            f" {failed[0].rstrip('.')}."
        )

    def _keep(self, client, key: str, verdict: Verdict) -> str:
        """Write one verdict, last, so that where it is all is; return what went wrong."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        place = "/".join(part for part in (self.prefix.strip("/"), key) if part)
        text = json.dumps({**verdict.as_dict(), **_OF_THE_CALL}, indent=1, sort_keys=True)
        try:
            if verdict.executed:
                self._put(client, f"{place}/executed.ipynb", Path(verdict.executed).read_bytes())
            self._put(client, f"{place}/verdict.json", text.encode())
        except (BotoCoreError, Boto3Error, ClientError, OSError) as error:
            return str(error)
        return ""

    def _put(self, client, name: str, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        if self._digest(client, name) == digest:
            return
        # An object of more than 5 GiB needs parts (Amazon S3, "Uploading objects"); ours have at most 1 GiB.
        client.put_object(
            Bucket=self.name, Key=name, Body=data, ContentType="application/json", Metadata={_DIGEST: digest}
        )

    def _digest(self, client, name: str) -> str | None:
        """Return the digest of an object that is there; one that may not be looked at is written again."""
        from botocore.exceptions import ClientError

        try:
            return client.head_object(Bucket=self.name, Key=name)["Metadata"].get(_DIGEST)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
                return None
            raise

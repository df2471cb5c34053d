# SPDX-License-Identifier: GPL-3.0-or-later
"""Login by a directory: LDAP or Active Directory, with the groups that grant profiles, looked up again during a session."""

from __future__ import annotations

import asyncio

import ldap3
from ldap3.core.exceptions import LDAPBindError, LDAPException
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import parse_dn
from ldapauthenticator import LDAPAuthenticator
from ldapauthenticator.ldapauthenticator import TlsStrategy
from tornado import web
from traitlets import Bool, Int, List, Unicode

DEPTH = 10  # groups in groups in groups ...
MEMBERS = "(|(member={userdn})(uniqueMember={userdn})(memberUid={uid}))"


class DirectoryAuthenticator(LDAPAuthenticator):
    """What the directory does not do is said in words at the login; the hub goes on meanwhile, as all of it is in threads."""

    groups = List(
        Unicode(), config=True, help="Groups beside allowed_groups, as DNs, whose members they grant profiles to."
    )
    group_search_base = Unicode(
        config=True, help="Below this DN groups of users are looked for; their names grant profiles."
    )
    nested_groups = Bool(False, config=True, help="Whether who is in a group that is in a group is in that one too.")
    connect_timeout = Int(10, config=True, help="Seconds to wait for the directory, each time.")

    def get_connection(self, userdn, password):
        """A connection, bound as somebody; None where the directory refuses that. Raises LDAPException.

        Names are not checked against the directory's schema: it answers for attributes that it does not know that nobody has them.
        """
        server = ldap3.Server(
            self.server_address,
            port=self.server_port,
            use_ssl=self.tls_strategy == TlsStrategy.on_connect,
            tls=ldap3.Tls(**self.tls_kwargs),
            get_info=ldap3.NONE,
            connect_timeout=self.connect_timeout,
        )
        tls_first = self.tls_strategy == TlsStrategy.before_bind
        try:
            return ldap3.Connection(
                server,
                user=userdn,
                password=password,
                auto_bind=ldap3.AUTO_BIND_TLS_BEFORE_BIND if tls_first else ldap3.AUTO_BIND_NO_TLS,
                check_names=False,
                receive_timeout=self.connect_timeout,
                read_only=True,
            )
        except LDAPBindError:
            return None

    def get_user_attributes(self, conn, userdn):
        """What a login knows when it has bound as the user; `authenticate` takes it apart."""
        return {"attributes": super().get_user_attributes(conn, userdn), "connection": conn, "dn": userdn}

    async def authenticate(self, handler, data):
        ask = super().authenticate

        def login():
            found = asyncio.run(ask(handler, data))
            return found and self._with_groups(found)

        try:
            return await asyncio.to_thread(login)
        except LDAPException as error:
            raise self._failure(error) from None

    def _with_groups(self, found: dict) -> dict:
        """What a login has found, with the names of groups."""
        known = found["auth_state"]["user_attributes"]
        connection = self._searching() if self.lookup_dn else known["connection"]
        state = {"user_attributes": known["attributes"], "dn": known["dn"], "uid": found["name"]}
        return {"name": found["name"], **self._membership(connection, state)}

    def _searching(self):
        """The connection of the account that looks users up, or None."""
        return self.get_connection(self.lookup_dn_search_user, self.lookup_dn_search_password)

    def _membership(self, connection, state: dict) -> dict:
        groups = self._groups(connection, state["dn"], state["uid"])
        same = {_same(group) for group in groups}
        allowed = [group for group in self.allowed_groups if _same(group) in same]
        return {"groups": sorted({_name(group) for group in groups}), "auth_state": {**state, "ldap_groups": allowed}}

    def _groups(self, connection, dn: str, uid: str) -> list[str]:
        """The DNs of a user's groups."""
        found = [
            group
            for group in dict.fromkeys([*self.allowed_groups, *self.groups])
            if self._is_in(connection, group, dn, uid)
        ]
        members = [dn]
        for _depth in range(DEPTH if self.nested_groups else 1):
            above = []
            for member in members if self.group_search_base else ():
                above += [
                    one
                    for one in self._found(connection, self.group_search_base, ldap3.SUBTREE, member, uid)
                    if one not in found + above
                ]
            found, members = found + above, above
            uid = ""
        return found

    def _is_in(self, connection, group: str, dn: str, uid: str) -> bool:
        return bool(self._found(connection, group, ldap3.BASE, dn, uid))

    def _found(self, connection, base: str, scope: str, dn: str, uid: str) -> list[str]:
        text = self.group_search_filter.format(userdn=escape_filter_chars(dn), uid=escape_filter_chars(uid) or "\\00")
        connection.search(search_base=base, search_scope=scope, search_filter=text, attributes=["1.1"])
        return [entry["dn"] for entry in connection.response or [] if entry.get("type") == "searchResEntry"]

    async def refresh_user(self, user, handler=None, **kwargs):
        """Look the user's groups up again; False, which is a new login, where the directory does not know or let in the user any more.

        A directory that does not answer changes nothing, and without an account that looks users up there is nobody to ask.
        """
        state = await user.get_auth_state() or {}
        if not self.lookup_dn or not state.get("dn"):
            return True
        try:
            return await asyncio.to_thread(self._again, user.name, state)
        except LDAPException as error:
            self.log.warning("The groups of %s stay as they were: %s", user.name, self._failure(error).log_message)
            return True

    def _again(self, name: str, state: dict):
        connection = self._searching()
        if connection is None:
            self.log.warning("The groups of %s stay as they were: the directory refuses lookup_dn_search_user.", name)
            return True
        connection.search(
            search_base=state["dn"], search_scope=ldap3.BASE, search_filter="(objectClass=*)", attributes=["1.1"]
        )
        if not connection.response:
            return False
        found = {"name": name, **self._membership(connection, state)}
        outside = self.allowed_groups and not found["auth_state"]["ldap_groups"]
        alone = name in self.allowed_users or name in self.admin_users or self.allow_all
        return False if outside and not alone else found

    def _failure(self, error: LDAPException) -> web.HTTPError:
        where = (
            f"{self.server_address}:{self.server_port or (636 if self.tls_strategy == TlsStrategy.on_connect else 389)}"
        )
        said = " ".join(str(error).split())
        self.log.error("The directory %s cannot be asked: %s: %s", where, type(error).__name__, said)
        return web.HTTPError(
            503,
            f"Nobody can log in at the moment, the directory {where} cannot be asked ({_reason(said)}): {_advice(said)}",
        )


def _reason(said: str) -> str:
    return said if len(said) < 200 else said[:200] + "..."


def _advice(said: str) -> str:
    told = said.lower()
    if "certificate" in told:
        return "an administrator gives the authority of its certificate as tls_kwargs.ca_certs_file."
    if "tls" in told or "ssl" in told or "protocolerror" in told:
        return "an administrator corrects tls_strategy, or sets up TLS there."
    return "try again later; an administrator finds more in the hub's log."


def _same(dn: str) -> str:
    try:
        return ",".join(f"{name}={value}" for name, value, _more in parse_dn(dn)).lower()
    except LDAPException:
        return dn.lower()


def _name(dn: str) -> str:
    """The name of a group: the first value of its DN."""
    return parse_dn(dn, escape=False)[0][1].replace("\\", "")

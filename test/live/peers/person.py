#!/usr/bin/python3
"""People at their instant messaging clients, driven by JSON lines on standard input and telling what they see in JSON
lines on standard output. They use slixmpp, so that what Pointsman sends is judged by another library than its own.

Commands, one object a line, "as" names the person:
  login   {jid, password, host, port, ca?, resource?, acks?, consent?, mechanism?}
          -> {"event": "online", jid, roster} or {"event": "refused", "why"}; without a ca there is no TLS
          consent: what they say when asked for their presence: yes (default), no, nothing
  show    {show: chat|available|away|xa|dnd, status?, priority?, idle?, to?}
  flood   {count, last}                                    so many changes of presence; the last show is `last`
  subscribe {to}
  ping    {to}                                             -> {"event": "pong", "from"}
  explore {to}                                             disco, and carbons on -> {"event": "explored"}
  refuse  {jid}                                            takes back the subscription of that address
  say     {to, body}                                       a chat message
  pour    {to, body, count}                                so many chat messages, as fast as they go
  shout   {room, body}                                     to everybody in a room
  join    {room, nick, history?}                           -> {"event": "joined"}
  raw     {xml}                                            a stanza as it is, for what the library has no words for
  command {to, node, values?}                              an ad-hoc command -> {"event": "command", status, note, fields}
  logout  {}                                               with a goodbye -> {"event": "offline"}
  vanish  {}                                               the line is cut -> {"event": "offline"}
Events: online, offline, refused, stream-error {condition}, joined, message {from, body, id, delayed},
room {room, from, body}, presence and room-presence {from, type, status, delayed, jid, codes} (type is the show, available,
unavailable, subscribe …; jid and codes as a room tells them).
The end of standard input ends all of them.
"""
import asyncio
import json
import logging
import sys
from xml.etree import ElementTree

import slixmpp

# Events alone go there; slixmpp 1.8.3 prints the delay of what a room said before somebody came in.
events, sys.stdout = sys.stdout, sys.stderr


def tell(who, event, **rest):
    events.write(json.dumps({"as": who, "event": event, **rest}) + "\n")
    events.flush()


class Person(slixmpp.ClientXMPP):
    def __init__(self, name, command):
        jid = f'{command["jid"]}/{command.get("resource", "client")}'
        super().__init__(jid, command["password"], sasl_mech=command.get("mechanism"))
        self.name = name
        secure = "ca" in command
        if secure:
            self.ca_certs = command["ca"]
        self.auto_authorize = {"yes": True, "no": False, "nothing": None}[command.get("consent", "yes")]
        self.auto_subscribe = True
        # Receipts (XEP-0184) are sent, as most clients do.
        for plugin in ("xep_0030", "xep_0045", "xep_0184", "xep_0199", "xep_0203", "xep_0280"):
            self.register_plugin(plugin)
        if command.get("acks"):
            self.register_plugin("xep_0198")
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("failed_all_auth", lambda _: tell(name, "refused", why="authentication"))
        self.add_event_handler("connection_failed", lambda why: tell(name, "refused", why=str(why)))
        self.add_event_handler("disconnected", lambda _: tell(name, "offline"))
        self.add_event_handler("message", self.hear)
        self.add_event_handler("presence", lambda presence: self.see("presence", presence))
        # slixmpp keeps a room's presence from the handlers of the other kind once it knows the room.
        self.add_event_handler("groupchat_presence", lambda presence: self.see("room-presence", presence))
        self.add_event_handler("stream_error", lambda error: tell(name, "stream-error", condition=error["condition"]))
        self.connect((command["host"], command["port"]), disable_starttls=not secure, force_starttls=secure)

    async def begin(self, _):
        self.send_presence()
        roster = (await self.get_roster())["roster"]
        items = {str(item["jid"]): item["subscription"] for item in roster}
        tell(self.name, "online", jid=str(self.boundjid), roster=items)

    def hear(self, message):
        if not message["body"]:
            return
        if message["type"] == "groupchat":
            tell(self.name, "room", room=message["from"].bare, **{"from": message["from"].resource}, body=message["body"])
        elif message["type"] in ("chat", "normal"):
            replace = message.xml.find("{urn:xmpp:message-correct:0}replace")
            replaces = None if replace is None else replace.get("id")
            sender = {"from": message["from"].bare}
            delayed = message.xml.find("{urn:xmpp:delay}delay") is not None
            about = {"id": message["id"], "replaces": replaces, "delayed": delayed}
            tell(self.name, "message", **sender, body=message["body"], **about)

    def see(self, event, presence):
        user = "{http://jabber.org/protocol/muc#user}"
        item = presence.xml.find(f"{{*}}x/{user}item")
        tell(
            self.name,
            event,
            **{"from": str(presence["from"])},
            type=presence["type"],
            status=presence["status"],
            delayed=presence.xml.find("{urn:xmpp:delay}delay") is not None,
            jid=None if item is None else item.get("jid"),
            codes=[status.get("code") for status in presence.xml.iter(f"{user}status")],
        )

    def subscribe(self, command):
        self.send_presence_subscription(pto=command["to"])

    def ping(self, command):
        async def ask():
            await self["xep_0199"].send_ping(command["to"], timeout=10)
            tell(self.name, "pong", **{"from": command["to"]})

        asyncio.ensure_future(ask())

    def explore(self, command):
        async def look():
            await self["xep_0030"].get_info(jid=command["to"])
            await self["xep_0280"].enable()
            tell(self.name, "explored")

        asyncio.ensure_future(look())

    def show(self, command):
        show = command["show"]
        presence = self.make_presence(
            pshow=None if show == "available" else show,
            pstatus=command.get("status"),
            ppriority=command.get("priority"),
            pto=command.get("to"),
        )
        if command.get("idle"):
            presence.xml.append(ElementTree.Element("{urn:xmpp:idle:1}idle", {"since": command["idle"]}))
        presence.send()

    def flood(self, command):
        shows = ("away", "xa", "dnd", "chat")
        for turn in range(command["count"] - 1):
            self.send_raw(f"<presence><show>{shows[turn % 4]}</show></presence>")
        self.show({"show": command["last"]})

    def raw(self, command):
        self.send_raw(command["xml"])

    def refuse(self, command):
        self.send_presence_subscription(pto=command["jid"], ptype="unsubscribed")

    def say(self, command):
        self.send_message(mto=command["to"], mbody=command["body"], mtype="chat")

    def pour(self, command):
        for turn in range(command["count"]):
            body = command["body"].replace("%", str(turn))
            self.send_raw(f"<message to='{command['to']}' type='chat' id='pour-{turn}'><body>{body}</body></message>")

    def shout(self, command):
        self.send_message(mto=command["room"], mbody=command["body"], mtype="groupchat")

    def join(self, command):
        async def enter():
            await self["xep_0045"].join_muc_wait(command["room"], command["nick"], maxstanzas=command.get("history", 0))
            tell(self.name, "joined", room=command["room"])

        asyncio.ensure_future(enter())

    def command(self, command):
        ns = "{http://jabber.org/protocol/commands}"
        data = "{jabber:x:data}"

        async def run():
            iq = self.make_iq_set(ito=command["to"])
            element = ElementTree.SubElement(iq.xml, f"{ns}command", {"node": command["node"]})
            if command.get("values") is not None:
                form = ElementTree.SubElement(element, f"{data}x", {"type": "submit"})
                for name, value in command["values"].items():
                    ElementTree.SubElement(ElementTree.SubElement(form, f"{data}field", {"var": name}), f"{data}value").text = value
            result = (await iq.send()).xml.find(f"{ns}command")
            note = result.find(f"{ns}note")
            fields = [field.get("var") for field in result.iter(f"{data}field")]
            values = [value.text for value in result.iter(f"{data}value")]
            text = None if note is None else note.text
            tell(self.name, "command", status=result.get("status"), body=text or "", fields=fields, values=values)

        asyncio.ensure_future(run())

    def logout(self, _):
        self.disconnect()

    def vanish(self, _):
        # Without one the server was quicker.
        if self.transport:
            self.transport.abort()


async def main():
    people = {}
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        command = json.loads(line)
        name = command["as"]
        if command["do"] == "login":
            people[name] = Person(name, command)
        else:
            getattr(people[name], command["do"])(command)


logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
asyncio.get_event_loop_policy().set_event_loop(loop := asyncio.new_event_loop())
loop.run_until_complete(main())

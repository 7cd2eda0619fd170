# One person at an XMPP client made with slixmpp, driven over its standard streams: commands come in as JSON lines,
# what happens goes out as JSON lines. A second library besides ours, so that both ends do not share a mistake.
#   /usr/bin/python3 slixmpp_person.py HOST PORT JID [--tls] [--mechanism NAME]      the password comes first, on a line
#   in:  {"do": "presence", "show": "dnd", "status": "…", "priority": 0}   {"do": "say", "to": JID, "body": "…"}
#        {"do": "join", "room": JID, "nick": "…"}   {"do": "say-room", "room": JID, "body": "…"}
#        {"do": "subscribe", "to": JID}   {"do": "ping", "to": JID}   {"do": "quit"}
#   out: {"event": "online" | "presence" | "room-presence" | "message" | "joined" | "pong" | "failed" | …}
import asyncio
import json
import ssl
import sys

import slixmpp


def tell(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


class Person(slixmpp.ClientXMPP):
    def __init__(self, jid, password, mechanism):
        super().__init__(jid, password, sasl_mech=mechanism)
        for plugin in ("xep_0030", "xep_0045", "xep_0198", "xep_0199", "xep_0203", "xep_0280"):
            self.register_plugin(plugin)
        # Loopback with a certificate made for the test.
        self.ssl_context = ssl.create_default_context()
        self.ssl_context.check_hostname = False
        self.ssl_context.verify_mode = ssl.CERT_NONE
        self.add_event_handler("session_start", self.started)
        self.add_event_handler("session_resumed", lambda _: tell("resumed"))
        self.add_event_handler("failed_auth", lambda _: tell("failed-auth"))
        self.add_event_handler("disconnected", lambda reason: tell("disconnected", reason=str(reason)))
        self.add_event_handler("stream_error", lambda error: tell("stream-error", condition=error["condition"]))
        self.add_event_handler("presence", lambda presence: self.saw("presence", presence))
        # slixmpp keeps a room's presence from the handlers of the other kind once it knows the room.
        self.add_event_handler("groupchat_presence", lambda presence: self.saw("room-presence", presence))
        self.add_event_handler("message", self.got)

    async def started(self, _):
        roster = await self.get_roster()
        items = {str(item["jid"]): item["subscription"] for item in roster["roster"]}
        info = await self["xep_0030"].get_info(jid=self.boundjid.domain)
        await self["xep_0280"].enable()
        self.send_presence()
        tell("online", jid=str(self.boundjid), roster=items, features=sorted(info["disco_info"]["features"]))

    def saw(self, event, presence):
        item = presence.xml.find("{*}x/{http://jabber.org/protocol/muc#user}item")
        codes = [status.get("code") for status in presence.xml.iter("{http://jabber.org/protocol/muc#user}status")]
        tell(
            event,
            sender=str(presence["from"]),
            type=presence["type"],
            status=presence["status"],
            jid=None if item is None else item.get("jid"),
            codes=codes,
            delayed=presence.xml.find("{urn:xmpp:delay}delay") is not None,
        )

    def got(self, message):
        delayed = message.xml.find("{urn:xmpp:delay}delay") is not None
        tell("message", sender=str(message["from"]), type=message["type"], body=message["body"], delayed=delayed)

    async def obey(self, order):
        do = order["do"]
        if do == "presence":
            self.send_presence(
                pshow=order.get("show"), pstatus=order.get("status"), ppriority=order.get("priority", 0)
            )
        elif do == "say":
            self.send_message(mto=order["to"], mbody=order["body"], mtype="chat")
        elif do == "join":
            await self["xep_0045"].join_muc_wait(order["room"], order["nick"], timeout=10)
            tell("joined", room=order["room"])
        elif do == "say-room":
            self.send_message(mto=order["room"], mbody=order["body"], mtype="groupchat")
        elif do == "subscribe":
            self.send_presence_subscription(pto=order["to"])
        elif do == "ping":
            await self["xep_0199"].send_ping(order["to"], timeout=10)
            tell("pong", sender=order["to"])
        elif do == "quit":
            await self.disconnect(wait=2)
        else:
            raise ValueError(f"unknown order {do!r}")


async def main():
    host, port, jid, *options = sys.argv[1:]
    mechanism = options[options.index("--mechanism") + 1] if "--mechanism" in options else None
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    password = (await reader.readline()).decode().rstrip("\n")
    person = Person(jid, password, mechanism)
    person.connect((host, int(port)), force_starttls="--tls" in options, disable_starttls="--tls" not in options)
    while line := await reader.readline():
        order = json.loads(line)
        try:
            await person.obey(order)
        except Exception as error:  # the test decides what is wrong
            tell("failed", order=order, error=f"{type(error).__name__}: {error}")
        if order["do"] == "quit":
            break


asyncio.run(main())

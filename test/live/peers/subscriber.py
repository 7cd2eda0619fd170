#!/usr/bin/python3
"""Another program that follows Pointsman's events (XEP-0060), by slixmpp. Arguments: JID, password, host, port, CA file,
service, node. Subscribes, as soon as there is such a node, and prints each event as one line of JSON."""
import asyncio
import json
import sys

import slixmpp
from slixmpp.exceptions import IqError

jid, password, host, port, ca, service, node = sys.argv[1:]
EVENT = "{urn:pointsman:event:1}event"
JSON = "{urn:xmpp:json:0}json"


def tell(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


class Subscriber(slixmpp.ClientXMPP):
    def __init__(self):
        super().__init__(jid, password)
        self.ca_certs = ca
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0060")
        self.add_event_handler("session_start", self.begin)
        self.add_event_handler("pubsub_publish", self.published)

    async def begin(self, _):
        self.send_presence()
        while True:
            try:
                await self["xep_0060"].subscribe(service, node)
                break
            except IqError as error:
                tell(refused=error.condition)
                await asyncio.sleep(0.2)
        tell(subscribed=node)

    def published(self, message):
        # Not by the library's own iteration: it is in the middle of one over the same items.
        for event in message.xml.iter(EVENT):
            tell(**dict(event.attrib), data=json.loads(event.find(JSON).text))


client = Subscriber()
client.connect((host, int(port)))
client.process(forever=True)

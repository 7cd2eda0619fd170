# What python-milter (python3-milter, over libmilter) costs: null.py SOCKET answered|silent
import sys

import Milter

silent = sys.argv[2] == 'silent'
quiet = Milter.noreply if silent else (lambda method: method)


class Null(Milter.Base):
    @quiet
    def connect(self, *words):
        return Milter.CONTINUE

    @quiet
    def hello(self, *words):
        return Milter.CONTINUE

    @quiet
    def envfrom(self, *words):
        return Milter.CONTINUE

    @quiet
    def envrcpt(self, *words):
        return Milter.CONTINUE

    @quiet
    def header(self, *words):
        return Milter.CONTINUE

    @quiet
    def eoh(self):
        return Milter.CONTINUE

    @quiet
    def body(self, octets):
        return Milter.CONTINUE

    def eom(self):
        return Milter.CONTINUE


Milter.factory = Null
Milter.runmilter('null', sys.argv[1], 600)

"""Debian's BIRD, by which hosts tell a router what can be reached by them."""

from .host import stop, until


class Bird:
    """One BIRD on a host, with files of its own."""

    def __init__(self, host, text):
        self.host = host
        self.config, self.control, self.pid = (
            host.lab.file(f"bird-{host.name}.{kind}") for kind in ("conf", "ctl", "pid")
        )
        self.config.write_text(text)
        self.process = None

    def start(self):
        self.host.say(["service", "bird", "start"])
        self.process = self.host.start(
            *("bird", "-f", "-c", str(self.config), "-s", str(self.control), "-P", str(self.pid)),
            log=f"bird-{self.host.name}.log",
        )
        until(lambda: self.host.attempt("birdc", "-s", str(self.control), "show", "status").returncode == 0,
              f"BIRD on {self.host.name} to answer")

    def ask(self, *words, show=False):
        return self.host.run("birdc", "-s", str(self.control), *words, show=show)

    def stop(self):
        """Ends it as an operator would, which takes back what it announced."""
        self.host.say(["service", "bird", "stop"])
        stop(self.process)

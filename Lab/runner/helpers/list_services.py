"""Lists the services of IPVS by pyroute2's generic netlink: transport number, address, port, scheduler; a line each."""

import socket

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, genlmsg, nla
from pyroute2.netlink.generic import GenericNetlinkSocket

GET_SERVICE = 4


class ServiceMessage(genlmsg):
    nla_map = (("UNUSED", "none"), ("SERVICE", "service"))

    class service(nla):
        nla_map = (
            ("UNUSED", "none"),
            ("FAMILY", "uint16"),
            ("PROTOCOL", "uint16"),
            ("ADDRESS", "cdata"),
            ("PORT", "be16"),
            ("MARK", "uint32"),
            ("SCHEDULER", "asciiz"),
        )


ipvs = GenericNetlinkSocket()
ipvs.bind("IPVS", ServiceMessage)
request = ServiceMessage()
request["cmd"], request["version"] = GET_SERVICE, 1
for answer in ipvs.nlm_request(request, msg_type=ipvs.prid, msg_flags=NLM_F_REQUEST | NLM_F_DUMP):
    service = answer.get_attr("SERVICE")
    family = service.get_attr("FAMILY")
    address = service.get_attr("ADDRESS")[: 4 if family == socket.AF_INET else 16]
    print(
        service.get_attr("PROTOCOL"),
        socket.inet_ntop(family, address),
        service.get_attr("PORT"),
        service.get_attr("SCHEDULER"),
    )
ipvs.close()

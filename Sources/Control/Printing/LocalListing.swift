internal import LVS

/// The local addresses of services as `-G` prints them, in the columns of DPVS.
///
/// `CONNS` are ports in use or resting after a connection, of all services that share the address;
/// `CONFLICTS` are connections of the service that found no port at any of its addresses: here two
/// connections never get the same one.
struct LocalListing {
    let names: AddressNames

    func text(_ services: [ListedService]) -> String {
        var text = line(["VIP:VPORT", "TOTAL", "SNAT_IP", "CONFLICTS", "CONNS"])
        for listed in services where !listed.locals.isEmpty {
            text += line([name(listed.service), String(listed.locals.count)])
            for local in listed.locals {
                text += line([
                    "", "", AddressNames.text(local.address, local.address.family),
                    String(local.refused), String(local.takenPorts),
                ])
            }
        }
        return text
    }

    private func name(_ service: ServiceRecord) -> String {
        switch service.identity {
        case .mark(let mark): return "FWM \(mark)\(service.family == .v6 ? " IPv6" : "")"
        case .endpoint(let number, let address, let port):
            return names.endpoint(
                address, service.family, port: port,
                transport: UInt8(exactly: number).map(TransportProtocol.init(rawValue:)))
        }
    }

    private func line(_ fields: [String]) -> String {
        let widths = [20, 8, 20, 10, 0]
        let padded = zip(fields, widths).map { $0.left($1) }.joined(separator: " ")
        return "\(padded.trimmingBlanks)\n"
    }
}

extension String {
    /// Without the blanks at its end.
    fileprivate var trimmingBlanks: Substring {
        var rest = self[...]
        while rest.last == " " { rest.removeLast() }
        return rest
    }
}

package import LVS

/// Which packets somebody wants to see, in a few of tcpdump's words; all of them must hold.
///
/// ```
/// tcp src 198.51.100.0/24 dst port 80 flags syn
/// ```
package struct PacketFilter: Hashable, Sendable {
    /// What is accepted, for error messages and usage.
    package static let usage =
        "any of tcp|udp|sctp|icmp, [src|dst] host ADDRESS[/LENGTH], [src|dst] port NUMBER, "
        + "flags syn|ack|fin|rst (all that are named are set); no words take every packet"

    /// Which end of a packet a test is about.
    private enum Side: Hashable {
        case source, destination, either
    }

    private enum Test: Hashable {
        case transport(TransportProtocol)
        case control
        case network(Side, AddressPrefix)
        case port(Side, UInt16)
        case flags(UInt8)
    }

    private var tests: [Test] = []

    /// Reads words, or one text with all of them; `and` between tests says nothing.
    package init(_ words: [String]) throws(HypothesisError) {
        var rest = words.joined(separator: " ").split(whereSeparator: \.isWhitespace)
            .map(String.init)[...]
        while let word = rest.popFirst() {
            switch word {
            case "and": break
            case "tcp": tests.append(.transport(.tcp))
            case "udp": tests.append(.transport(.udp))
            case "sctp": tests.append(.transport(.sctp))
            case "icmp": tests.append(.control)
            case "src": try take(.source, &rest)
            case "dst": try take(.destination, &rest)
            case "host", "port":
                rest.insert(word, at: rest.startIndex)
                try take(.either, &rest)
            case "flags":
                tests.append(.flags(try Hypothesis.flags(try PacketFilter.value(word, &rest))))
            default:
                throw HypothesisError(
                    "\"\(word)\" is not known; accepted is \(PacketFilter.usage)")
            }
        }
    }

    private static func value(
        _ word: String, _ rest: inout ArraySlice<String>
    ) throws(HypothesisError) -> String {
        guard let value = rest.popFirst() else {
            throw HypothesisError("\"\(word)\" has no value; accepted is \(usage)")
        }
        return value
    }

    private mutating func take(
        _ side: Side, _ rest: inout ArraySlice<String>
    ) throws(HypothesisError) {
        var word = try PacketFilter.value("src or dst", &rest)
        // `src 192.0.2.1` is `src host 192.0.2.1`.
        if word != "host", word != "port" {
            rest.insert(word, at: rest.startIndex)
            word = "host"
        }
        let value = try PacketFilter.value(word, &rest)
        guard word == "host" else {
            guard let port = UInt16(value) else {
                throw HypothesisError("port \"\(value)\": accepted are 0 to 65535")
            }
            return tests.append(.port(side, port))
        }
        let parts = value.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = IPAddress(parsing: parts[0]) else {
            throw HypothesisError("\"\(value)\" is no address; accepted is \(PacketFilter.usage)")
        }
        let most: UInt8 = address.isV4 ? 32 : 128
        guard let length = parts.count == 2 ? UInt8(parts[1]) : most, length <= most else {
            throw HypothesisError("\"\(value)\": a prefix of it has 0 to \(most) bits")
        }
        tests.append(.network(side, AddressPrefix(address: address, length: length)))
    }

    /// What tells quickly that a packet is none of those.
    package var sieve: PacketSieve {
        var sieve = PacketSieve()
        for test in tests {
            switch test {
            case .transport(let transport): sieve.transport = transport.rawValue
            case .control: sieve.isControl = true
            case .network(.source, let prefix): sieve.setSource(prefix)
            case .network(.destination, let prefix): sieve.setDestination(prefix)
            case .network(.either, let prefix): sieve.setEither(prefix)
            case .port(.source, let port): sieve.sourcePort = port
            case .port(.destination, let port): sieve.destinationPort = port
            case .port(.either, let port): sieve.port = port
            case .flags(let flags): sieve.tcpFlags |= flags
            }
        }
        return sieve
    }

    /// True when the packet, as it came in, is one of those.
    package func matches(_ packet: Packet) -> Bool {
        tests.allSatisfy { test in
            switch test {
            case .transport(let transport): packet.isIP && packet.transport == transport
            case .control: packet.isIP && packet.transport == .icmp(of: packet.family)
            case .network(let side, let prefix):
                packet.isIP
                    && holds(
                        side, prefix.contains(packet.source), prefix.contains(packet.destination))
            case .port(let side, let port):
                packet.isIP && packet.kind != .icmpError && packet.kind != .icmpOther
                    && holds(side, packet.sourcePort == port, packet.destinationPort == port)
            case .flags(let flags):
                packet.isIP && packet.transport == .tcp && packet.tcpFlags & flags == flags
            }
        }
    }

    private func holds(_ side: Side, _ source: Bool, _ destination: Bool) -> Bool {
        switch side {
        case .source: source
        case .destination: destination
        case .either: source || destination
        }
    }
}

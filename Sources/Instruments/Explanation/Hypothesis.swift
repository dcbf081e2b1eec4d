package import LVS

/// Words that are no hypothetical packet: what was wrong, and what is accepted.
package struct HypothesisError: Error, Hashable, CustomStringConvertible {
    package var description: String

    init(_ description: String) { self.description = description }
}

/// A packet that nobody has sent: `explain` asks what would become of it.
///
/// ```
/// tcp 198.51.100.7:4321 -> 192.0.2.1:80
/// tcp [2001:db8::7]:4321 to [2001:db8::1]:443 flags syn,ack mark 5 in eth0 ttl 3 payload 1400
/// udp 198.51.100.7:5060 -> 192.0.2.1:5060        sctp ... chunk data        icmp 198.51.100.7 -> 192.0.2.1
/// ```
package struct Hypothesis: Hashable, Sendable {
    /// The frame, but for the hardware addresses.
    package private(set) var request: RequestFrame
    /// Firewall mark that the frame comes in with.
    package private(set) var mark: UInt32 = 0
    /// Name of the interface; nil for the one that the client is reached by.
    package private(set) var interface: String?

    /// What is accepted, for error messages and usage.
    package static let usage =
        "tcp|udp|sctp SOURCE:PORT -> DESTINATION:PORT, or icmp SOURCE -> DESTINATION (an echo "
        + "request); then any of: flags syn,ack,fin,rst,psh,urg,ece,cwr (tcp), chunk NAME (sctp), "
        + "mark NUMBER, in INTERFACE, ttl NUMBER, payload BYTES"

    /// The most bytes of payload: one frame of a jumbo link.
    private static let mostPayload = 8900

    /// A frame of the hypothesis, ready for a worker.
    package struct Arrival: Hashable, Sendable {
        package var bytes: [UInt8]
        package var port: PortIndex
        package var mark: UInt32
    }

    /// Reads words, or one text with all of them; the arrow may be written `to`.
    package init(_ words: [String]) throws(HypothesisError) {
        let text = words.joined(separator: " ")
        var rest = Hypothesis.spaced(text).split(whereSeparator: \.isWhitespace)
            .map(String.init)[...]
        guard let name = rest.popFirst() else {
            throw HypothesisError("no packet is given; accepted is \(Hypothesis.usage)")
        }
        guard let kind = Kind(rawValue: name) else {
            throw HypothesisError("\"\(name)\" is no protocol; accepted is \(Hypothesis.usage)")
        }
        guard let source = rest.popFirst() else {
            throw HypothesisError("the source is missing; accepted is \(Hypothesis.usage)")
        }
        let arrow = rest.popFirst()
        guard arrow == "->" || arrow == "to" else {
            let hint =
                arrow == "-" || (arrow == nil && words.last == "-")
                ? "; the shell took the > of the arrow for itself: put the packet in quotes, or write to"
                : ""
            throw HypothesisError(
                "\"\(arrow ?? "nothing")\" stands where -> or to is expected\(hint)")
        }
        guard let destination = rest.popFirst() else {
            throw HypothesisError("the destination is missing; accepted is \(Hypothesis.usage)")
        }
        let from = try Hypothesis.endpoint(source, kind, "source")
        let to = try Hypothesis.endpoint(destination, kind, "destination")
        guard from.address.family == to.address.family else {
            throw HypothesisError("\(source) and \(destination) are of different address families")
        }
        request = RequestFrame(
            kind.transport(from.address.family), from: from.address, port: from.port,
            to: to.address, port: to.port)
        while let option = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw HypothesisError(
                    "\"\(option)\" has no value; accepted is \(Hypothesis.usage)")
            }
            try take(option, value, kind)
        }
    }

    private enum Kind: String {
        case tcp, udp, sctp, icmp

        func transport(_ family: AddressFamily) -> TransportProtocol {
            switch self {
            case .tcp: .tcp
            case .udp: .udp
            case .sctp: .sctp
            case .icmp: .icmp(of: family)
            }
        }
    }

    /// The text with blanks around each arrow.
    private static func spaced(_ text: String) -> String {
        var spaced = ""
        for letter in text {
            if letter == ">", spaced.last == "-" {
                spaced.removeLast()
                spaced += " -> "
            } else {
                spaced.append(letter)
            }
        }
        return spaced
    }

    private static func endpoint(
        _ text: String, _ kind: Kind, _ side: String
    ) throws(HypothesisError) -> (address: IPAddress, port: UInt16) {
        func refusal(_ expected: String) -> HypothesisError {
            HypothesisError("the \(side) \"\(text)\" is not \(expected)")
        }
        if kind == .icmp {
            guard let address = IPAddress(parsing: text) else {
                throw refusal("an address, as 192.0.2.1 or 2001:db8::1 (icmp has no ports)")
            }
            return (address, 0)
        }
        guard let endpoint = Hypothesis.endpoint(text) else { throw refusal(endpointUsage) }
        return endpoint
    }

    /// What is accepted as an endpoint.
    static let endpointUsage =
        "ADDRESS:PORT with a port from 1 to 65535, as 192.0.2.1:80 or [2001:db8::1]:80"

    /// Reads an address and a port, host order; nil for anything else.
    static func endpoint(_ text: String) -> (address: IPAddress, port: UInt16)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard let address = IPAddress(parsing: host), address.isV4 == !host.contains(":"),
            let port = UInt16(text[text.index(after: colon)...]), port > 0
        else { return nil }
        return (address, port)
    }

    private mutating func take(
        _ option: String, _ value: String, _ kind: Kind
    ) throws(HypothesisError) {
        switch option {
        case "flags":
            guard kind == .tcp else { throw HypothesisError("flags are of tcp only") }
            request.tcpFlags = try Hypothesis.flags(value)
        case "chunk":
            guard kind == .sctp else { throw HypothesisError("chunks are of sctp only") }
            guard let type = Hypothesis.chunks[value] else {
                throw HypothesisError(
                    "\"\(value)\" is no chunk; accepted are "
                        + Hypothesis.chunks.keys.sorted().joined(separator: ", "))
            }
            request.sctpChunk = type
        case "mark":
            let isHex = value.hasPrefix("0x")
            guard
                let mark = UInt32(
                    isHex ? String(value.dropFirst(2)) : value, radix: isHex ? 16 : 10)
            else {
                throw HypothesisError(
                    "mark \"\(value)\": accepted are 0 to \(UInt32.max), hexadecimal with 0x")
            }
            self.mark = mark
        case "in": interface = value
        case "ttl":
            guard let hops = UInt8(value) else {
                throw HypothesisError("ttl \"\(value)\": accepted are 0 to 255")
            }
            request.timeToLive = hops
        case "payload":
            guard let bytes = Int(value), (0...Hypothesis.mostPayload).contains(bytes) else {
                throw HypothesisError(
                    "payload \"\(value)\": accepted are 0 to \(Hypothesis.mostPayload) bytes")
            }
            guard kind != .sctp else { throw HypothesisError("sctp packets have no payload here") }
            request.payloadBytes = bytes
        default:
            throw HypothesisError("\"\(option)\" is not known; accepted is \(Hypothesis.usage)")
        }
    }

    private static let chunks: [String: UInt8] = [
        "data": 0, "init": 1, "init-ack": 2, "sack": 3, "heartbeat": 4, "abort": 6, "shutdown": 7,
        "shutdown-ack": 8, "cookie-echo": 10, "cookie-ack": 11, "shutdown-complete": 14,
    ]

    private static let tcpFlags: [String: UInt8] = [
        "fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128,
    ]

    static func flags(_ text: String) throws(HypothesisError) -> UInt8 {
        guard text != "none" else { return 0 }
        var flags: UInt8 = 0
        for word in text.split(
            omittingEmptySubsequences: false, whereSeparator: { ",|+".contains($0) })
        {
            guard let flag = tcpFlags[word.lowercased()] else {
                throw HypothesisError(
                    "\"\(word)\" is no flag of tcp; accepted are none, "
                        + "\(tcpFlags.keys.sorted().joined(separator: ", ")), with commas between")
            }
            flags |= flag
        }
        return flags
    }

    // MARK: On a director

    /// The frame as it would come in at a director.
    package func arrival(at director: Director) throws(HypothesisError) -> Arrival {
        let ports = director.ports
        guard let first = ports.first else {
            throw HypothesisError("the director serves no interface that a packet could come in by")
        }
        var port = first
        if let interface {
            guard let named = ports.first(where: { $0.name == interface }) else {
                let names = ports.map(\.name).joined(separator: ", ")
                throw HypothesisError(
                    "in \"\(interface)\": no served interface; accepted are \(names)")
            }
            port = named
        } else if case .forward(let index, _)? = director.serverRoute(request.source),
            let known = ports.first(where: { $0.index == index })
        {
            port = known
        }
        var request = request
        request.destinationHardware = port.hardware
        return Arrival(bytes: request.bytes, port: port.index, mark: mark)
    }

    /// What would become of it at a director that is in use, which is left as it is; housekeeper.
    package func explanation(
        asking director: Director, now: Instant
    ) throws(HypothesisError) -> Explanation {
        let twin = director.twin(
            for: request.transport, from: request.source, port: request.sourcePort,
            to: request.destination, port: request.destinationPort)
        return try explanation(on: twin.director, now: now)
    }

    /// What becomes of it at a director whose worker belongs to the caller's thread; the director's
    /// tables change as they would, so a live one is asked by its twin.
    package func explanation(
        on director: Director, now: Instant
    ) throws(HypothesisError) -> Explanation {
        let arrival = try arrival(at: director)
        let worker = director.workers[0]
        guard
            let story = worker.story(
                of: arrival.bytes, on: arrival.port, mark: arrival.mark, now: now)
        else { throw HypothesisError("the worker told no story of the packet") }
        return Explanation(story, of: director)
    }
}

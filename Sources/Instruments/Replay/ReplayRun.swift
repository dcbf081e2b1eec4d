internal import LVS

/// Feeds the packets of captures to a replay, one after the other.
package final class ReplayRun {
    /// What could not be fed, or not as it was, with the first packet of each kind.
    package struct Trouble: Hashable, Sendable {
        package var packets: UInt64 = 0
        package var first: UInt64 = 0
        /// What was wrong with the first one.
        package var text = ""

        mutating func note(_ packet: UInt64, _ reason: @autoclosure () -> String) {
            packets += 1
            guard packets == 1 else { return }
            first = packet
            text = reason()
        }

        /// The sentence about them, of which `what` says what they do or did; nil without any.
        func remark(_ what: String) -> String? {
            packets > 0 ? "\(packets) packets \(what), first packet \(first): \(text)" : nil
        }
    }

    package let replay: Replay
    package let capture: MergedCapture
    /// Packets that are no frames.
    package private(set) var unreadable = Trouble()
    /// Packets of which the capture holds only the beginning; the rest is taken to be zeros.
    package private(set) var truncated = Trouble()
    /// Packets of interfaces that came into the capture after its first packet.
    package private(set) var unexpected = Trouble()
    /// Packets that the capture says were sent by the machine that captured.
    package private(set) var outgoing: UInt64 = 0
    /// Number of the last packet; 0 before the first.
    package var number: UInt64 { taken }
    /// The same for the run's own code, where nothing need be checked when it changes.
    private var taken: UInt64 = 0
    /// What becomes of an interface's packets.
    private struct Way {
        /// Nil for an interface that the network does not know.
        var port: PortIndex?
        /// The Ethernet address of the port.
        var hardware = HardwareAddress(value: 0)
        var link: LinkLayer.Link
    }

    /// For each interface of the capture so far.
    private var ways: [Way] = []
    private let portOfName: [String: PortIndex]
    /// `names` are those of the capture's interfaces, in order, as the replay's network knows them.
    package init(_ capture: MergedCapture, _ replay: Replay, names: [String]) {
        self.capture = capture
        self.replay = replay
        portOfName = Dictionary(replay.network.ports.map { ($0.name, $0.index) }) { first, _ in
            first
        }
        ways = zip(names, capture.interfaces).map { way(named: $0, LinkLayer.Link($1)) }
    }

    /// Feeds the next packet; false at the end of the capture.
    package func step() -> Bool { play(to: taken + 1) }

    /// Feeds packets up to one, or all (nil); false at the end of the capture.
    package func play(to last: UInt64? = nil) -> Bool {
        let last = last ?? .max
        guard taken < last else { return true }
        return capture.give { packet in
            taken = packet.number
            feed(packet)
            return taken < last
        }
    }

    /// The names by which a replay's network knows the interfaces of captures: their own; what has
    /// none is the only interface of the sheet, or `in`.
    package static func names(
        of interfaces: [CaptureInterface], in sheet: NetworkSheet
    ) throws(NetworkSheet.Mistake) -> [String] {
        var names: [String] = []
        for interface in interfaces {
            let known = sheet.links.map(\.name)
            var name = interface.name
            if name.isEmpty {
                guard known.count < 2 else {
                    throw NetworkSheet.Mistake(
                        description: "which of the interfaces \(known.joined(separator: ", ")) was "
                            + "captured? --read NAME=FILE says it")
                }
                name = known.first ?? "in"
            }
            guard known.isEmpty || known.contains(name) else {
                throw NetworkSheet.Mistake(
                    description: "the capture's interface \(name) is not in the network "
                        + "(\(known.joined(separator: ", "))); --read NAME=FILE says which it is")
            }
            names.append(name)
        }
        return names
    }

    private func feed(_ packet: CapturedPacket) {
        if packet.interface >= ways.count { learn() }
        let way = ways[packet.interface]
        guard let port = way.port else { return leaveOut(packet) }
        guard packet.direction != .outbound else {
            outgoing += 1
            return
        }
        // Room for an Ethernet header in the place of a shorter one, and for what was not captured.
        let most = Int(packet.length) + 14
        guard
            let place = unsafe replay.place(
                packet: packet.number, at: packet.time, length: most)
        else {
            return unreadable.note(
                packet.number, "\(packet.length) bytes are more than a frame has")
        }
        switch unsafe LinkLayer.frame(
            of: packet, on: way.link, into: place, capacity: most,
            hardware: (HardwareAddress.made(for: .assumedGatewayV4), way.hardware))
        {
        case .refused(let why): unreadable.note(packet.number, why.description)
        case .frame(let shape):
            guard shape.direction != .outbound else {
                outgoing += 1
                return
            }
            let missing = max(0, shape.fullLength - shape.length)
            if missing > 0 {
                truncated.note(
                    packet.number, "\(shape.length) of \(shape.fullLength) bytes were captured")
                unsafe (place + shape.length).initializeMemory(
                    as: UInt8.self, repeating: 0, count: missing)
            }
            replay.take(
                length: shape.length + missing, missing: missing, by: port, vlan: shape.vlan)
        }
    }

    private func way(named name: String, _ link: LinkLayer.Link) -> Way {
        guard let port = portOfName[name] else { return Way(link: link) }
        return Way(port: port, hardware: replay.network.ports[Int(port)].hardware, link: link)
    }

    /// Learns of interfaces that the capture has described since.
    private func learn() {
        for interface in capture.interfaces[ways.count...] {
            ways.append(way(named: interface.name, LinkLayer.Link(interface)))
        }
    }

    private func leaveOut(_ packet: CapturedPacket) {
        let name = capture.interfaces[packet.interface].name
        unexpected.note(packet.number, "its interface \(name) was not there at the beginning")
    }

    /// What was wrong with the capture, a line each.
    package var remarks: [String] {
        let troubles = [
            unreadable.remark("could not be read"),
            truncated.remark("are cut short, zeros in the place of the rest"),
            unexpected.remark("were left out"),
        ]
        return capture.remarkLines + troubles.compactMap { $0 }
    }
}

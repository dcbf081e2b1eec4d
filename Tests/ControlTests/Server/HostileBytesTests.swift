import Control
import LVS
import Testing

/// Whatever comes over the socket: no trap, and what is refused has changed nothing.
struct HostileBytesTests {
    /// Every kind of request, well made.
    static let valid: [Request] = [
        Sample.service(.newService, Sample.absent), Sample.service(.setService, Sample.http),
        Sample.service(.deleteService, Sample.http), Sample.service(.getService, Sample.http),
        Sample.destination(.newDestination, Sample.web2),
        Sample.destination(.setDestination, Sample.web1),
        Sample.destination(.deleteDestination, Sample.web1),
        Request(.getService, dump: true),
        Request(.getDestination, dump: true) { Sample.http.write(.identity, to: &$0) },
        Sample.daemon(
            .newDaemon,
            DaemonRecord(
                state: 1, interface: "lo", maximumBytes: 99,
                group: .v6(IPAddress(high: 0xff05 << 48, low: 1)), port: 1, timeToLive: 1)),
        Sample.daemon(.deleteDaemon, DaemonRecord(state: 1)),
        Request(.getDaemon, dump: true),
        Request(.setConfiguration) { TimeoutsRecord(tcpSeconds: 7).write(to: &$0) },
        Request(.getConfiguration), Request(.getInformation), Request(.zero), Request(.flush),
        Request(NetlinkType.controller, 3) { $0.attribute(2, "IPVS") },
        Request(NetlinkType.controller, 3, dump: true),
        Request(NetlinkType.extra, 1, dump: true) { $0.attribute(1, "settings") },
        Request(NetlinkType.extra, 2) { writer in
            writer.attribute(1, "settings")
            writer.attribute(3, "drop_packet")
            writer.attribute(4, "1")
        },
    ]

    private static let before = Sample.target().state

    /// The packet is served by a fresh director; when all its messages are refused, or none was
    /// recognised, the director is as it was.
    private func serve(_ packet: [UInt8]) -> Answers {
        let target = ModelTarget()
        target.state = Self.before
        var conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: true)
        let answers = conversation.ask(packet)
        if answers.data.isEmpty, !answers.errors.contains(0), !answers.isDumpDone,
            packet.acknowledges
        {
            #expect(target.state == Self.before, "\(packet)")
        }
        return answers
    }

    @Test(arguments: valid.indices)
    func aTruncatedPacketIsNotServed(index: Int) {
        let packet = Self.valid[index].bytes
        for length in 0..<packet.count {
            #expect(serve(Array(packet[..<length])).messages.isEmpty)
        }
    }

    @Test(arguments: valid.indices)
    func aMessageThatEndsEarlyIsAnsweredOnce(index: Int) {
        let packet = Self.valid[index].bytes
        for length in NetlinkMessage.headerBytes..<packet.count {
            var cut = Array(packet[..<length])
            cut[0] = UInt8(length & 255)
            cut[1] = UInt8(length >> 8)
            let answers = serve(cut)
            #expect(answers.errors.count + (answers.isDumpDone ? 1 : 0) == 1)
        }
    }

    @Test func changedBytesNeverTrap() {
        var random = Numbers(state: 20_261_121)
        for round in 0..<1500 {
            var packet = Self.valid[round % Self.valid.count].bytes
            for _ in 0...random.next() % 4 {
                packet[Int(random.next() % UInt64(packet.count))] = UInt8(
                    truncatingIfNeeded: random.next())
            }
            _ = serve(packet)
        }
    }

    @Test func randomBytesNeverTrap() {
        var random = Numbers(state: 3)
        for round in 0..<1500 {
            var packet = (0..<Int(random.next() % 200)).map { _ in
                UInt8(truncatingIfNeeded: random.next())
            }
            // Half of them at least look like a message of the family.
            if round % 2 == 0, packet.count >= 20 {
                packet[0] = UInt8(packet.count)
                packet.replaceSubrange(1..<6, with: [0, 0, 0, UInt8(NetlinkType.ipvs), 0])
                packet[16] %= 18
            }
            _ = serve(packet)
        }
    }

    @Test func nestsInsideNestsAndLyingLengthsAreRefused() {
        var writer = NetlinkWriter()
        for _ in 0..<500 { writer.attribute(1, raw: [8, 0, 1, 0, 255, 255, 1, 0]) }
        let body = writer.bytes[...]
        let request = Request(.newService) { $0.append(raw: body) }
        #expect(serve(request.bytes).errors == [ErrorNumber.invalid.rawValue])
    }
}

extension [UInt8] {
    /// Whether the first message asks for an acknowledgement, so that success would show.
    fileprivate var acknowledges: Bool {
        var rest = self[...]
        var all = true
        while let message = NetlinkMessage(takingFrom: &rest) {
            all = all && message.flags.contains(.acknowledge)
        }
        return all
    }
}

/// Repeatable numbers (SplitMix64).
private struct Numbers {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

import Foundation
import LVS
import PacketIO
import Posix
import TestKit
import Testing

@Suite(.serialized, .enabled(if: TestNetwork.isPossible, "needs root and ip"))
struct NFQueueDriverTests {
    /// A packet and what its sender left undone.
    struct Case: Sendable, CustomTestStringConvertible {
        var isTCP: Bool
        var isIPv6: Bool
        /// Payload of one segment of a super-frame; 0 for a plain packet.
        var segment: UInt16 = 0
        var isUndone = false

        var testDescription: String {
            "\(isTCP ? "TCP" : "UDP") over \(isIPv6 ? "IPv6" : "IPv4")"
                + (segment > 0 ? ", super-frame" : isUndone ? ", undone checksum" : "")
        }

        var start: Int { isIPv6 ? 54 : 34 }
        var field: Int { isTCP ? 16 : 6 }
        var headers: Int { start + (isTCP ? 20 : 8) }
        var payload: [UInt8] {
            (0..<(segment > 0 ? 20_001 : 101)).map { UInt8(truncatingIfNeeded: $0 / 7) }
        }

        func bytes(_ builder: PacketBuilder) -> [UInt8] {
            var bytes =
                isTCP
                ? builder.tcp(from: 4000, to: 80, flags: 0x18, payload: payload)
                : builder.udp(from: 4000, to: 80, payload: payload)
            if isUndone || segment > 0 {
                bytes.set(start + field, be16: bytes.pseudoHeaderSum())
            }
            return bytes
        }

        func describe(_ frame: inout Frame) {
            guard isUndone || segment > 0 else { return }
            frame.checksum = .partial
            frame.checksumStart = UInt16(start)
            frame.checksumOffset = UInt16(field)
            guard segment > 0 else { return }
            frame.segmentKind = isTCP ? (isIPv6 ? 4 : 1) : 5
            frame.segmentSize = segment
            frame.headerLength = UInt16(headers)
        }

        static let all = [true, false].flatMap { isTCP in
            [true, false].flatMap { isIPv6 in
                [
                    Case(isTCP: isTCP, isIPv6: isIPv6),
                    Case(isTCP: isTCP, isIPv6: isIPv6, isUndone: true),
                    Case(isTCP: isTCP, isIPv6: isIPv6, segment: 1000),
                ]
            }
        }
    }

    @Test(arguments: Case.all)
    func packetsComeWholeWithWhatTheirSenderLeftUndone(of sent: Case) throws {
        let lab = try QueueLab()
        let bytes = sent.bytes(lab.request(isIPv6: sent.isIPv6))
        lab.send(bytes, by: lab.client, sent.describe)
        var burst = Burst()
        try lab.take(into: &burst)
        let frame = burst[0]
        let seen = FrameBytes.bytes(of: frame)
        #expect(Array(seen[12...]) == Array(bytes[12...]))
        #expect(Array(seen[6..<12]) == FrameBytes.mac(lab.clientStation))
        #expect(frame.ingress == 0)
        #expect(frame.mark == 0)
        #expect(frame.headroom >= 128)
        #expect(frame.checksum == (sent.isUndone || sent.segment > 0 ? .partial : .complete))
        if frame.checksum == .partial {
            #expect(Int(frame.checksumStart) == sent.start)
            #expect(Int(frame.checksumOffset) == sent.field)
        }
        #expect(frame.segmentSizeIsOpen == (sent.segment > 0))
        #expect(
            frame.segmentKind == (sent.segment == 0 ? 0 : sent.isTCP ? (sent.isIPv6 ? 4 : 1) : 5))
        if sent.segment > 0 {
            #expect(Int(frame.headerLength) == sent.headers)
            #expect(Int(frame.segmentSize) == 1514 - sent.headers)
        }
        lab.finish(&burst)
    }

    @Test(arguments: Case.all)
    func whatForwardingCanDoGoesBackWithNewContents(of sent: Case) throws {
        let lab = try QueueLab()
        let target = sent.isIPv6 ? QueueLab.serverAddress6 : QueueLab.serverAddress
        lab.send(sent.bytes(lab.request(isIPv6: sent.isIPv6)), by: lab.client, sent.describe)
        var burst = Burst()
        try lab.take(into: &burst)
        burst.translate(0, to: target)
        burst[0].verdict = .send(1)
        lab.drivers[0].settle(&burst)
        #expect(burst[0].verdict == .consumed)
        let pieces = sent.segment > 0 ? (sent.payload.count + 999) / 1000 : 1
        let seen = lab.arrived(pieces, at: lab.server)
        #expect(seen.flatMap { $0.bytes[sent.headers...] } == sent.payload)
        for (bytes, frame) in seen {
            #expect(bytes[sent.isIPv6 ? 21 : 22] == 63)
            #expect(Array(bytes[0..<6]) == FrameBytes.mac(lab.serverStation))
            if frame.checksum == .partial {
                #expect(bytes.be16(sent.start + sent.field) == bytes.pseudoHeaderSum())
            } else {
                let end = sent.headers + (bytes.count - sent.headers)
                let sum = bytes.onesSum(sent.start..<end, from: UInt32(bytes.pseudoHeaderSum()))
                #expect(sum == 0xffff)
            }
        }
        #expect(lab.queues.summary.first?.contains("1 accepted with new contents") == true)
        #expect(lab.drivers[1].statistics.sentFrames == 1)
    }

    @Test(arguments: [false, true])
    func repliesAreTakenWhereTheHostForwardsThem(isIPv6: Bool) throws {
        let lab = try QueueLab()
        let sent = Case(isTCP: true, isIPv6: isIPv6, segment: 1000)
        var bytes = lab.reply(isIPv6: isIPv6).tcp(
            from: 80, to: 4000, flags: 0x18, payload: sent.payload)
        bytes.set(sent.start + sent.field, be16: bytes.pseudoHeaderSum())
        lab.send(bytes, by: lab.server, sent.describe)
        var burst = Burst()
        try lab.take(into: &burst)
        #expect(burst[0].ingress == 1)
        // As it came to the host, which has counted a hop already.
        #expect(Array(FrameBytes.bytes(of: burst[0])[14...]) == Array(bytes[14...]))
        let vip = isIPv6 ? QueueLab.vip6 : QueueLab.vip
        burst.translate(0, from: vip)
        burst[0].verdict = .send(0)
        lab.finish(&burst)
        let seen = lab.arrived(21, at: lab.client)
        #expect(seen.flatMap { $0.bytes[sent.headers...] } == sent.payload)
        let source = isIPv6 ? 22..<38 : 26..<30
        #expect(seen.allSatisfy { Array($0.bytes[source]) == vip.wireBytes })
        #expect(seen.allSatisfy { $0.bytes[isIPv6 ? 21 : 22] == 63 })
        #expect(lab.queues.summary.first?.contains("1 accepted with new contents") == true)
    }

    /// DR: nothing of the packet changes, so only another hardware address can lead it.
    @Test(arguments: [false, true], [false, true])
    func whatForwardingCannotDoLeavesByThePacketSocket(isNAT: Bool, isIPv6: Bool) throws {
        let lab = try QueueLab(forwards: !isNAT)
        let sent = Case(isTCP: true, isIPv6: isIPv6, segment: 1000)
        lab.send(sent.bytes(lab.request(isIPv6: isIPv6)), by: lab.client, sent.describe)
        var burst = Burst()
        try lab.take(into: &burst)
        if isNAT {
            burst.translate(0, to: isIPv6 ? QueueLab.serverAddress6 : QueueLab.serverAddress)
        }
        let station = FrameBytes.mac(lab.serverStation)
        unsafe burst[0].bytes.copyMemory(from: station, byteCount: 6)
        burst[0].verdict = .send(1)
        let left = FrameBytes.bytes(of: burst[0])
        lab.finish(&burst)
        let seen = try #require(lab.arrived(1, at: lab.server).first)
        #expect(seen.bytes == left)
        #expect(seen.frame.checksum == .partial)
        #expect(seen.frame.segmentSize > 0)
        #expect(Int(seen.frame.segmentSize) + sent.headers <= 1514)
        #expect(lab.arrived(1, at: lab.server, within: 50_000_000).isEmpty)
        #expect(lab.queues.summary.first?.contains("1 sent by packet sockets") == true)
    }

    /// Datagrams begin where only the kernel knows.
    @Test func datagramsTheHostJoinedAreNotSentAsOne() throws {
        let lab = try QueueLab(forwards: false)
        let sent = Case(isTCP: false, isIPv6: false, segment: 1000)
        lab.send(sent.bytes(lab.request()), by: lab.client, sent.describe)
        var burst = Burst()
        try lab.take(into: &burst)
        burst[0].verdict = .send(1)
        lab.finish(&burst)
        #expect(lab.arrived(1, at: lab.server, within: 50_000_000).isEmpty)
        #expect(lab.drivers[1].statistics.sendFailed == 1)
        #expect(lab.queues.summary.contains { $0.contains("1 UDP super-frames lost") })
    }

    @Test func marksOfTheHostsOwnRulesComeAlongWheneverTheyWereAdded() throws {
        let lab = try QueueLab()
        try lab.run("iptables -t mangle -A PREROUTING -p tcp --dport 80 -j MARK --set-mark 7")
        lab.send(lab.request().tcp(from: 4000, to: 80, flags: 2), by: lab.client)
        var burst = Burst()
        try lab.take(into: &burst)
        #expect(burst[0].mark == 7)
        lab.finish(&burst)
        // A mark that has a service leads to the queue by itself.
        var served = QueueLab.served
        served.marks = [ServedTraffic.Mark(value: 9, family: .v4)]
        try lab.rules.widen(by: served)
        try lab.run("iptables -t mangle -A PREROUTING -p tcp --dport 81 -j MARK --set-mark 9")
        lab.send(lab.request().tcp(from: 4000, to: 81, flags: 2), by: lab.client)
        try lab.take(into: &burst)
        #expect(burst[0].mark == 9)
        lab.finish(&burst)
    }

    @Test func whatIsTheHostsReachesItAsItCame() throws {
        let lab = try QueueLab()
        var burst = Burst()
        for _ in 0..<3 {
            lab.send(lab.request().tcp(from: 4000, to: 80, flags: 2), by: lab.client)
            try lab.take(into: &burst)
            burst[0].verdict = .passThroughDoor
            lab.finish(&burst)
            // Nobody listens: the host resets.
            let reset = lab.arrived(1, at: lab.client).first
            #expect(reset?.bytes[47] == 0x14)
        }
        #expect(lab.queues.summary.first?.contains("3 accepted as they came") == true)
        // A server on the host: rewritten, and no hop counted.
        lab.send(lab.request().tcp(from: 4000, to: 80, flags: 2), by: lab.client)
        try lab.take(into: &burst)
        burst.translate(0, to: QueueLab.address("10.1.0.1"))
        burst[0].verdict = .passThroughDoor
        lab.finish(&burst)
        let reset = try #require(lab.arrived(1, at: lab.client).first)
        #expect(Array(reset.bytes[26..<30]) == [10, 1, 0, 1])
        // What is not served does not come at all.
        lab.send(lab.request().tcp(from: 4000, to: 22, flags: 2), by: lab.client)
        #expect(lab.arrived(1, at: lab.client).first?.bytes.be16(34) == 22)
        let came = lab.drivers[0].receive(into: &burst)
        #expect(came == 0)
    }

    @Test func droppedPacketsReachNobody() throws {
        let lab = try QueueLab()
        var burst = Burst()
        lab.send(lab.request().tcp(from: 4000, to: 80, flags: 2), by: lab.client)
        try lab.take(into: &burst)
        burst[0].verdict = .drop(.noServer)
        lab.finish(&burst)
        #expect(lab.arrived(1, at: lab.client, within: 50_000_000).isEmpty)
        #expect(lab.queues.summary.first?.contains("1 dropped") == true)
    }

    @Test func packetsThatEndWithinTheirHeadersComeAsTheyAre() throws {
        let lab = try QueueLab()
        let whole = lab.request().tcp(from: 4000, to: 80, flags: 2)
        var burst = Burst()
        for length in 4..<20 {
            let header = Array(whole[34..<34 + length])
            let cut = lab.request().frame(transport: 6, checksumAt: nil, header)
            lab.send(cut, by: lab.client)
            try lab.take(into: &burst)
            #expect(Array(FrameBytes.bytes(of: burst[0])[14...]) == Array(cut[14...]))
            burst[0].verdict = .drop(.headerTooShort)
            lab.finish(&burst)
        }
    }

    @Test func orderIsKeptAndMemoryComesBackForEver() throws {
        let lab = try QueueLab()
        var burst = Burst()
        for round in 0..<100 {
            for number in 0..<40 {
                let payload = [UInt8(round), UInt8(number)]
                lab.send(
                    lab.request().udp(from: 4000, to: 80, payload: payload), by: lab.client)
            }
            var numbers: [UInt8] = []
            while numbers.count < 40, lab.receive(into: &burst) {
                for index in 0..<burst.count {
                    numbers.append(FrameBytes.bytes(of: burst[index])[43])
                    burst.translate(index, to: QueueLab.serverAddress)
                    burst[index].verdict = .send(1)
                }
                lab.finish(&burst)
            }
            let left = lab.arrived(40, at: lab.server).map { $0.bytes[43] }
            guard numbers == Array(0..<40), left == Array(0..<40) else {
                Issue.record("round \(round): came \(numbers), left \(left)")
                return
            }
        }
        #expect(lab.drivers[0].statistics.receivedFrames == 4000)
        #expect(lab.drivers[0].statistics.ringFull == 0)
    }

    @Test func refusedVerdictsAreCountedWithTheReason() throws {
        let lab = try QueueLab()
        var burst = Burst()
        lab.send(lab.request().tcp(from: 4000, to: 80, flags: 2), by: lab.client)
        try lab.take(into: &burst)
        // The kernel lets go of what came by an interface that goes down.
        try lab.run("ip link set d0 down")
        lab.finish(&burst)
        try lab.run("ip link set d0 up")
        let told = eventually {
            _ = lab.drivers[0].receive(into: &burst)
            return lab.queues.summary.count == 2
        }
        #expect(told)
        #expect(
            lab.queues.summary.last
                == "  1 verdicts refused by the kernel, the last: No such file or directory")
    }

    private func eventually(_ condition: () -> Bool) -> Bool {
        let end = MonotonicClock.now() + 1_000_000_000
        while !condition() {
            guard MonotonicClock.now() < end else { return false }
            Thread.yield()
        }
        return true
    }

    @Test func aQueueThatIsFullLosesAndCountsAndGoesOn() throws {
        let lab = try QueueLab()
        let bytes = lab.request().udp(from: 4000, to: 80)
        let sent = 9000
        for _ in 0..<sent { lab.send(bytes, by: lab.client) }
        let lost = Int(lab.drivers[0].statistics.ringFull)
        #expect(lost >= sent - 8192)
        var burst = Burst()
        var came = 0
        while came < sent - lost, lab.receive(into: &burst) {
            came += burst.count
            for index in 0..<burst.count { burst[index].verdict = .drop(.noServer) }
            lab.finish(&burst)
        }
        #expect(came == sent - lost)
        lab.send(bytes, by: lab.client)
        try lab.take(into: &burst)
        #expect(Int(lab.drivers[0].statistics.ringFull) == lost)
        lab.finish(&burst)
    }

    @Test func aQueueThatSomebodyHasIsRefusedWithTheCure() throws {
        let lab = try QueueLab()
        let error = #expect(throws: DriverError.self) {
            try TestNetwork.inside(lab.inside) {
                let commons = NFQueueCommons()
                commons.use(try QueueRange("0"))
                _ = try NFQueueDriver(interface: "d0", port: 0, worker: 0, commons: commons)
            }
        }
        let text = error?.description ?? ""
        #expect(text.contains("another program has this queue"), "\(text)")
        #expect(text.contains("nfqueue:1"), "\(text)")
    }

    @Test func aDeletedInterfaceIsServedAgainWhenItComesBack() throws {
        let lab = try QueueLab()
        let (inside, driver) = (lab.inside, lab.drivers[0])
        try lab.run("ip link del d0")
        #expect(driver.isDetached)
        #expect(try !TestNetwork.inside(inside) { try driver.refresh() })
        try lab.run("ip link add d0 type veth peer name e0")
        try lab.run("ip link set d0 up")
        try lab.run("ip link set e0 up")
        try TestNetwork.waitUntilUp([(inside, "d0"), (inside, "e0")])
        #expect(try TestNetwork.inside(inside) { try driver.refresh() })
        #expect(!driver.isDetached)
        let far = try TestNetwork.inside(inside) { try AFPacketDriver(interface: "e0", port: 3) }
        let station = try TestNetwork.inside(inside) {
            try InterfaceDescription(named: "e0").hardware
        }
        driver.send([HeldFrame(FrameBytes.plain(to: station, number: 5))])
        var burst = Burst()
        let came = eventually { far.receive(into: &burst) > 0 }
        #expect(came)
    }
}

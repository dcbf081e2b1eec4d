package import LVS

/// Plays a recorded scenario through a whole director in memory and says what differs.
package struct GoldenPlayer {
    /// What the remaining seconds of a connection may differ by; the recording ran in real time, so
    /// that a long one needs more.
    private static let secondsApart = 3
    /// Free pages of the recording machine, near enough: it had 768 MB.
    private static let freePages = 150_000

    private let golden: Golden
    private let checksum: DirectorRig.ChecksumOnInput
    private let workers: Int
    /// Frames played so far: each goes to the next worker.
    private var frames = 0
    private let rig: DirectorRig
    private var daemons: GoldenDaemons?
    private let ports: [String: PortIndex]
    private var localPorts: LocalPortMap
    /// One line for every difference: step, field, expected and actual value.
    private var differences: [String] = []
    private var time: UInt64 = 0
    /// What became of every frame.
    private var outcomes: [DirectorRig.Outcome] = []

    /// Everything that differs; empty when the director does what was recorded.
    ///
    /// Several workers take the frames in turn, so that those of one flow meet all of them. With
    /// `isTold` each has a narrator.
    package static func play(
        _ golden: Golden, checksum: DirectorRig.ChecksumOnInput, workers: Int = 1,
        isTold: Bool = false, daemons: GoldenDaemons? = nil
    ) throws -> [String] {
        var player = GoldenPlayer(golden, checksum, workers)
        player.daemons = daemons
        try player.setUp()
        if isTold {
            for worker in player.rig.director.workers { worker.narrator = Narrator(most: .max) }
        }
        for step in golden.steps { player.play(step) }
        let isAged = golden.tags?.contains("sync-age") == true
        return player.differences + [player.daemons?.difference(isAged: isAged)].compactMap(\.self)
    }

    /// What becomes of every frame, and of those that waiting made; a narrator listens to the worker.
    package static func outcomes(
        _ golden: Golden, narrator: Narrator?
    ) throws -> [DirectorRig.Outcome] {
        var player = GoldenPlayer(golden, .complete, 1)
        try player.setUp()
        player.rig.director.workers[0].narrator = narrator
        // Listings change nothing, and are compared elsewhere.
        for step in golden.steps where step.op != "list" { player.play(step) }
        return player.outcomes
    }

    private init(_ golden: Golden, _ checksum: DirectorRig.ChecksumOnInput, _ workers: Int) {
        self.golden = golden
        self.checksum = checksum
        self.workers = workers
        rig = DirectorRig(workers: workers)
        localPorts = LocalPortMap(
            (golden.setup.laddrs ?? []).compactMap { IPAddress(dotted: $0.addr) })
        ports = Dictionary(
            uniqueKeysWithValues: golden.setup.interfaces.enumerated().map {
                ($1.name, PortIndex($0))
            })
    }

    private mutating func setUp() throws {
        rig.director.setFreePages(GoldenPlayer.freePages)
        let setup = golden.setup
        var routes: [Route] = []
        var hosts: Set<IPAddress> = []
        var served: [Port] = []
        for (index, interface) in setup.interfaces.enumerated() {
            guard let hardware = HardwareAddress(colons: interface.mac) else { continue }
            served.append(
                Port(
                    index: PortIndex(index), name: interface.name, hardware: hardware,
                    mtu: interface.mtu))
            for text in interface.addresses {
                guard let (address, length) = GoldenPlayer.prefix(text) else { continue }
                hosts.insert(address)
                routes.append(
                    Route(prefix: address, prefixLength: address.isV4 ? 32 : 128, kind: .local))
                routes.append(
                    Route(
                        prefix: address.prefix(length), prefixLength: length,
                        kind: .forward(port: PortIndex(index), gateway: nil),
                        preferredSource: address))
            }
        }
        for route in setup.routes {
            guard let (prefix, length) = GoldenPlayer.prefix(route.dst),
                let port = ports[route.dev]
            else { continue }
            let source = routes.first {
                $0.kind == .forward(port: port, gateway: nil)
                    && $0.preferredSource?.isV4 == prefix.isV4
            }
            routes.append(
                Route(
                    prefix: prefix, prefixLength: length,
                    kind: .forward(
                        port: port, gateway: route.via.flatMap { IPAddress(dotted: $0) }),
                    preferredSource: source?.preferredSource))
        }
        rig.director.setPorts(served)
        rig.director.setRoutes(routes)
        rig.director.setHostAddresses(hosts)
        for neighbour in setup.neighbours {
            guard let port = ports[neighbour.dev], let address = IPAddress(dotted: neighbour.ip)
            else { continue }
            rig.director.setNeighbour(
                Neighbour(port: port, address: address), HardwareAddress(colons: neighbour.mac))
        }
        if let timeouts = setup.timeouts, timeouts.count == 3 {
            try rig.director.setTimeouts(
                Timeouts(tcp: timeouts[0], tcpFin: timeouts[1], udp: timeouts[2]))
        }
        // What recorded the scenario had no limit.
        try rig.director.set(name: "icmp_ratelimit", value: 0)
        for (name, value) in (setup.sysctl ?? [:]).sorted(by: { $0.key < $1.key }) {
            try rig.director.set(name: name, text: value)
        }
        try rig.director.setMarkRules((setup.marks ?? []).map(GoldenPlayer.rule))
        let locals = (setup.laddrs ?? []).map { "-P \($0.service) -z \($0.addr)" }
        for rule in setup.rules + locals {
            try RuleLine.run(rule.split(separator: " ").map(String.init), on: rig.director)
        }
    }

    private mutating func play(_ step: Golden.Step) {
        advance(milliseconds: step.t > time ? step.t - time : 0)
        switch step.op {
        case "frame": playFrame(step)
        case "ctl" where step.args?.first == "--start-daemon":
            daemons?.start(step.args ?? [], rig.director)
        case "ctl" where step.args?.first == "--stop-daemon":
            daemons?.stop(step.args ?? [], rig.director)
        case "ctl":
            var refusal: (any Error)?
            do {
                try RuleLine.run(step.args ?? [], on: rig.director)
            } catch {
                refusal = error
            }
            let fails = step.fails ?? false
            if fails != (refusal != nil) {
                let outcome = refusal.map { "\($0)" } ?? "no refusal"
                note(step, "expected \(fails ? "a refusal" : "success"), got \(outcome)")
            }
        case "sysctl":
            do {
                try rig.director.set(name: step.name ?? "", text: step.value ?? "")
            } catch {
                note(step, "\(error)")
            }
        case "wait":
            advance(milliseconds: step.ms ?? 0)
            let sent = (0..<workers).flatMap { rig.turn(worker: $0) }
            compare(step, DirectorRig.Outcome(verdict: .consumed, sent: sent))
        case "list":
            let kind = step.kind ?? ""
            let found = ListingText.differences(
                kind: kind, recorded: step.text ?? "", director: rig.director,
                secondsApart: GoldenPlayer.secondsApart + golden.steps.count / 50)
            for line in found ?? ["no such listing"] { note(step, "\(kind): \(line)") }
        case "settle-stats": break
        default: note(step, "unknown step")
        }
        daemons?.expect(step)
    }

    /// Lets time pass, in turns as a master daemon has them.
    private mutating func advance(milliseconds: UInt64) {
        var left = milliseconds
        while left > 0 {
            let turn = daemons?.isTelling == true ? min(left, 20) : left
            rig.advance(milliseconds: turn)
            time += turn
            left -= turn
            daemons?.tell(rig.director, rig.clock.now)
        }
    }

    private mutating func playFrame(_ step: Golden.Step) {
        guard let name = step.if, let port = ports[name],
            let bytes = [UInt8](hexadecimal: step.hex ?? "")
        else {
            note(step, "a frame without interface or bytes")
            return
        }
        // A datagram to a group, whole: a frame cut short never comes out of the host's stack.
        if bytes.count >= 42, bytes[0] & 1 != 0, bytes[23] == 17,
            bytes.count >= 14 + Int(bytes.be16(16))
        {
            daemons?.hear(Array(bytes[42...]), rig.director, rig.clock.now)
        }
        let mtu = golden.setup.interfaces[Int(port)].mtu
        // Frames longer than the link takes stayed in the recording's network card.
        let arrives = bytes.count <= Int(mtu) + 18
        let outcome =
            arrives
            ? rig.send(
                localPorts.answer(bytes), on: port, checksum: checksum, worker: frames % workers)
            : DirectorRig.Outcome(verdict: .consumed, sent: [])
        frames += 1
        outcomes.append(outcome)
        compare(step, outcome)
    }

    private mutating func compare(_ step: Golden.Step, _ outcome: DirectorRig.Outcome) {
        for (name, port) in ports.sorted(by: { $0.value < $1.value }) {
            let expected = (step.out ?? []).filter {
                $0.if == name && $0.by == nil && !GoldenDaemons.isMessage($0)
            }
            let actual = outcome.sent.filter { $0.port == port }
            for index in 0..<max(expected.count, actual.count) {
                guard index < actual.count else {
                    let frame = [UInt8](hexadecimal: expected[index].hex) ?? []
                    let verdict = outcome.verdict.reason.map { "dropped: \($0.name)" }
                    note(
                        step,
                        "\(name): missing \(FrameText.describe(frame)) "
                            + "(\(verdict ?? "\(outcome.verdict.kind)"))")
                    continue
                }
                guard index < expected.count else {
                    note(step, "\(name): surplus \(FrameText.describe(actual[index].bytes))")
                    continue
                }
                compare(step, name, expected[index], actual[index].bytes)
            }
        }
    }

    private mutating func compare(
        _ step: Golden.Step, _ interface: String, _ output: Golden.Output, _ actual: [UInt8]
    ) {
        guard let recorded = [UInt8](hexadecimal: output.hex) else { return }
        let (expected, contradiction) = localPorts.expected(recorded, seeing: actual)
        if let contradiction { note(step, "\(interface): \(contradiction)") }
        let free = output.free ?? []
        let left = masked(expected, free)
        let right = masked(actual, free)
        guard left != right else { return }
        note(
            step,
            "\(interface): \(FrameText.difference(expected: left, actual: right)) "
                + "in \(FrameText.describe(actual))")
    }

    /// Takes out what is free: the identification with the header checksum that follows from it, and
    /// that of an IPv6 fragment.
    private func masked(_ frame: [UInt8], _ free: [String]) -> [UInt8] {
        var frame = frame
        for field in free {
            let parts = field.split(separator: "@")
            guard parts.count == 2, let at = Int(parts[1]) else { continue }
            if parts[0] == "udpsource" { maskUDPSource(&frame, at) }
            if parts[0] == "ipv6fragid", frame.count >= at + 8 {
                frame.set(at + 4, be16: 0)
                frame.set(at + 6, be16: 0)
            }
            guard parts[0] == "ipv4id", frame.count >= at + 20 else { continue }
            let end = at + Int(frame[at] & 15) * 4
            let isRight = end <= frame.count && frame.onesSum(at..<end) == 0xffff
            frame.set(at + 4, be16: 0)
            frame.set(at + 10, be16: isRight ? 0 : 0xbadd)
        }
        guard checksum == .partial else { return frame }
        return GoldenPlayer.loosened(frame)
    }

    /// Takes out the source port of a UDP header behind a plain IP header, and with it the checksum:
    /// absent, right or wrong is what stays.
    private func maskUDPSource(_ frame: inout [UInt8], _ at: Int) {
        guard frame.count >= at + 8, at >= 34 else { return }
        let length = UInt32(frame.be16(at + 4))
        let isIPv6 = frame[14] >> 4 == 6
        let addresses = isIPv6 ? at - 32..<at : at - 8..<at
        let sum = frame.onesSum(
            at..<frame.count, from: UInt32(frame.onesSum(addresses)) + length + 17)
        let isRight = sum == 0xffff
        frame.set(at, be16: 0)
        if frame.be16(at + 6) != 0 { frame.set(at + 6, be16: isRight ? 1 : 0xbadd) }
    }

    /// What an unfinished checksum on input leaves open: which of its two zeros a TCP sum shows, and
    /// the sum inside a quoted packet, with that of the ICMP message around it.
    private static func loosened(_ frame: [UInt8]) -> [UInt8] {
        var frame = frame
        guard !frame.isIPv6 else { return loosenedIPv6(frame) }
        guard frame.count >= 34, frame.be16(12) == 0x0800 else { return frame }
        let next = 14 + Int(frame[14] & 15) * 4
        if frame[23] == 6, frame.count >= next + 18, frame.be16(next + 16) == 0xffff {
            frame.set(next + 16, be16: 0)
        }
        let isError = frame[23] == 1 && frame.count >= next + 28
        guard isError, [3, 4, 11, 12].contains(frame[next]) else { return frame }
        let quoted = next + 8 + Int(frame[next + 8] & 15) * 4
        if frame.onesSum(next..<frame.count) == 0xffff { frame.set(next + 2, be16: 0) }
        for field in checksumFields(frame[next + 17]) where quoted + field + 2 <= frame.count {
            frame.set(quoted + field, be16: 0)
        }
        return frame
    }

    private static func loosenedIPv6(_ frame: [UInt8]) -> [UInt8] {
        var frame = frame
        let (next, number) = frame.transport()
        if number == 6, frame.count >= next + 18, frame.be16(next + 16) == 0xffff {
            frame.set(next + 16, be16: 0)
        }
        guard number == 58, frame.count >= next + 48, frame[next] < 128 else { return frame }
        let sum = frame.onesSum(next..<frame.count, from: UInt32(frame.pseudoHeaderSum()))
        if sum == 0xffff { frame.set(next + 2, be16: 0) }
        for field in checksumFields(frame[next + 14]) where next + 48 + field + 2 <= frame.count {
            frame.set(next + 48 + field, be16: 0)
        }
        return frame
    }

    /// Where a transport has its checksum, two bytes each.
    private static func checksumFields(_ transport: UInt8) -> [Int] {
        switch transport {
        case 6: [16]
        case 132: [8, 10]
        default: [6]
        }
    }

    private mutating func note(_ step: Golden.Step, _ text: String) {
        let what = step.note ?? step.args?.joined(separator: " ") ?? step.kind ?? step.op
        differences.append("step \(step.n) (\(what)): \(text)")
    }

    /// A recorded mark as the director's own marking rule.
    private static func rule(_ mark: Golden.Mark) -> MarkRule {
        var rule = MarkRule(mark: mark.mark)
        rule.family = mark.family == 6 ? .v6 : .v4
        rule.interface = mark.in
        let protocols: [String: TransportProtocol] = [
            "tcp": .tcp, "udp": .udp, "sctp": .sctp, "icmp": .icmp, "icmpv6": .icmpV6,
        ]
        rule.transport = mark.proto.flatMap { protocols[$0] }
        rule.source = mark.src.flatMap(block)
        rule.destination = mark.dst.flatMap(block)
        rule.sourcePorts = mark.sport.map { [$0...$0] } ?? []
        rule.destinationPorts = mark.dport.map { [$0...$0] } ?? []
        return rule
    }

    private static func block(_ text: String) -> MarkRule.Prefix? {
        prefix(text.contains("/") ? text : text + (text.contains(":") ? "/128" : "/32")).map {
            MarkRule.Prefix(address: $0.0, length: $0.1)
        }
    }

    private static func prefix(_ text: String) -> (IPAddress, UInt8)? {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let address = IPAddress(dotted: parts[0]),
            let length = UInt8(parts[1]), length <= (address.isV4 ? 32 : 128)
        else { return nil }
        return (address, length)
    }
}

import LVS
import TestKit
import Testing

/// ICMP errors between a client of IPv6 and a server of IPv4 (RFC 7915 sections 4.2 and 5.2).
@Suite struct FamilyErrorTests {
    /// Type, code and second word of a message.
    struct Message: Hashable, CustomStringConvertible {
        var type: UInt8
        var code: UInt8
        var rest: UInt32

        init(_ type: UInt8, _ code: UInt8, _ rest: UInt32 = 0) {
            self.type = type
            self.code = code
            self.rest = rest
        }

        init(_ frame: [UInt8]) {
            let start = frame.isIPv6 ? 54 : 34
            self.init(frame[start], frame[start + 1], frame.be32(start + 4))
        }

        var description: String { "\(type)/\(code) \(rest)" }
    }

    /// A message around a quoted packet.
    private func error(_ message: Message, _ builder: PacketBuilder, _ quote: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [message.type, message.code, 0, 0]
        bytes.append(be32: message.rest)
        bytes += quote
        guard builder.source.isV4 else {
            return builder.frame(transport: 58, checksumAt: 2, bytes)
        }
        bytes.set(2, be16: ~bytes.onesSum(0..<bytes.count))
        return builder.frame(transport: 1, checksumAt: nil, bytes)
    }

    /// A router on the servers' side.
    private func router(_ rig: FamilyRig) -> PacketBuilder {
        var builder = rig.reply
        builder.source = IPAddress(v4: 0xc000_0209)
        return builder
    }

    /// A router on the clients' side.
    private func gateway(_ rig: FamilyRig) -> PacketBuilder {
        var builder = rig.request
        builder.source = IPAddress(high: 0x2001_0db8_00ff_0000, low: 9)
        return builder
    }

    /// What a client hears of an error about its request; the quote is of `length` bytes.
    private func fromServer(
        _ message: Message, _ rig: FamilyRig, quoting length: Int = 60, then rest: [UInt8] = []
    ) throws -> DirectorRig.Outcome {
        let request = rig.request.tcp(from: 4000, to: 80, flags: 16, payload: [1, 2, 3])
        let sent = try #require(rig.send(request).sent.first).bytes
        let quote = Array(sent[14...].prefix(length))
        return rig.send(error(message, router(rig), quote + rest), on: 1)
    }

    /// What a server hears of an error about its reply.
    private func fromClient(
        _ message: Message, _ rig: FamilyRig, quoting length: Int = 80, then rest: [UInt8] = []
    ) throws -> DirectorRig.Outcome {
        let reply = rig.reply.tcp(from: 8080, to: 4000, flags: 16, payload: [1, 2, 3])
        let sent = try #require(rig.send(reply, on: 1).sent.first).bytes
        let quote = Array(sent[14...].prefix(length))
        return rig.send(error(message, gateway(rig), quote + rest))
    }

    @Test(
        "Errors about requests say in IPv6 what they said in IPv4",
        arguments: [
            (Message(3, 0), Message(1, 0)), (Message(3, 1), Message(1, 0)),
            (Message(3, 2), Message(4, 1, 6)), (Message(3, 3), Message(1, 4)),
            (Message(3, 4, 1400), Message(2, 0, 1420)), (Message(3, 4, 1480), Message(2, 0, 1500)),
            (Message(3, 4, 1496), Message(2, 0, 1500)), (Message(3, 4, 576), Message(2, 0, 1280)),
            (Message(3, 4, 0), Message(2, 0, 1280)), (Message(3, 5), Message(1, 0)),
            (Message(3, 6), Message(1, 0)), (Message(3, 7), Message(1, 0)),
            (Message(3, 8), Message(1, 0)), (Message(3, 9), Message(1, 1)),
            (Message(3, 10), Message(1, 1)), (Message(3, 11), Message(1, 0)),
            (Message(3, 12), Message(1, 0)), (Message(3, 13), Message(1, 1)),
            (Message(3, 14), nil), (Message(3, 15), Message(1, 1)), (Message(3, 16), nil),
            (Message(4, 0), nil), (Message(11, 0), Message(3, 0)), (Message(11, 1), Message(3, 1)),
            (Message(11, 2), nil), (Message(12, 1), nil), (Message(12, 3), nil),
        ] as [(Message, Message?)])
    func errorsFromServers(_ message: Message, _ expected: Message?) throws {
        let rig = try FamilyRig()
        rig.open()
        let outcome = try fromServer(message, rig)
        guard let expected else {
            #expect(outcome.verdict == .drop(.untranslatable) && outcome.sent.isEmpty)
            return
        }
        let told = try #require(outcome.sent.first).bytes
        #expect(Message(told) == expected && told.isSound)
    }

    @Test(
        "Errors about replies say in IPv4 what they said in IPv6",
        arguments: [
            (Message(1, 0), Message(3, 1)), (Message(1, 1), Message(3, 10)),
            (Message(1, 2), Message(3, 1)), (Message(1, 3), Message(3, 1)),
            (Message(1, 4), Message(3, 3)), (Message(1, 5), nil),
            (Message(2, 0, 1400), Message(3, 4, 1380)), (Message(2, 0, 9000), Message(3, 4, 1480)),
            (Message(2, 0, .max), Message(3, 4, 1480)), (Message(2, 0, 0), Message(3, 4, 68)),
            (Message(3, 0), Message(11, 0)), (Message(3, 1), Message(11, 1)),
            (Message(3, 2), nil), (Message(4, 1, 40), Message(3, 2)), (Message(4, 2), nil),
            (Message(5, 0), nil), (Message(127, 0), nil),
        ] as [(Message, Message?)])
    func errorsFromClients(_ message: Message, _ expected: Message?) throws {
        let rig = try FamilyRig()
        rig.open()
        let outcome = try fromClient(message, rig)
        guard let expected else {
            #expect(outcome.verdict == .drop(.untranslatable) && outcome.sent.isEmpty)
            return
        }
        let told = try #require(outcome.sent.first).bytes
        #expect(Message(told) == expected && told.isSound)
    }

    @Test(
        "What a pointer points to has another place, or none",
        arguments: [
            (0, 0), (1, 1), (2, 4), (3, 4), (4, nil), (5, nil), (6, nil), (7, nil), (8, 7), (9, 6),
            (10, nil), (11, nil), (12, 8), (15, 8), (16, 24), (19, 24), (20, nil), (255, nil),
        ] as [(UInt32, UInt32?)])
    func pointersOfIPv4(_ pointer: UInt32, _ expected: UInt32?) throws {
        let rig = try FamilyRig()
        rig.open()
        for code in [0, 2] as [UInt8] {
            let outcome = try fromServer(Message(12, code, pointer << 24), rig)
            #expect(
                outcome.sent.first.map { Message($0.bytes) } == expected.map { Message(4, 0, $0) })
        }
    }

    @Test(
        arguments: [
            (0, 0), (1, 1), (2, nil), (3, nil), (4, 2), (5, 2), (6, 9), (7, 8), (8, 12), (23, 12),
            (24, 16), (39, 16), (40, nil), (.max, nil),
        ] as [(UInt32, UInt32?)])
    func pointersOfIPv6(_ pointer: UInt32, _ expected: UInt32?) throws {
        let rig = try FamilyRig()
        rig.open()
        let outcome = try fromClient(Message(4, 0, pointer), rig)
        #expect(
            outcome.sent.first.map { Message($0.bytes) }
                == expected.map { Message(12, 0, $0 << 24) })
    }

    @Test func `The quoted packet is the client's own, byte for byte`() throws {
        let rig = try FamilyRig()
        rig.open()
        let told = try #require(try fromServer(Message(3, 1), rig).sent.first).bytes
        // The sum of what is quoted stays as the server's side has it.
        var own = rig.request
        own.timeToLive = 63
        var quoted = own.tcp(from: 4000, to: 80, flags: 16, payload: [1, 2, 3])
        quoted.set(70, be16: told.be16(62 + 40 + 16))
        #expect(Array(told[62...]) == Array(quoted[14...]))
        #expect(Array(told[22..<38]) == FamilyRig.virtual.wireBytes)
        #expect(Array(told[38..<54]) == FamilyRig.client.wireBytes)
        #expect(told[21] == 63 && told.be16(12) == 0x86dd)
    }

    @Test func `The quoted packet is the server's own, byte for byte`() throws {
        let rig = try FamilyRig()
        rig.open()
        let told = try #require(try fromClient(Message(1, 0), rig).sent.first).bytes
        var own = rig.reply
        own.timeToLive = 63
        own.identification = 0
        own.hasDontFragment = false
        var quoted = own.tcp(from: 8080, to: 4000, flags: 16, payload: [1, 2, 3])
        quoted.set(50, be16: told.be16(42 + 20 + 16))
        #expect(Array(told[42...]) == Array(quoted[14...]))
        #expect(told.be32(26) == FamilyRig.local.v4 && told.be32(30) == FamilyRig.server.v4)
        #expect(told[22] == 63 && told.be16(12) == 0x0800)
    }

    @Test func `A router that names no length means the next that is usual`() throws {
        let rig = try FamilyRig()
        rig.open()
        let request = rig.request.tcp(
            from: 4000, to: 80, flags: 16, payload: [UInt8](repeating: 1, count: 1440))
        let sent = try #require(rig.send(request).sent.first).bytes
        let outcome = rig.send(
            error(Message(3, 4), router(rig), Array(sent[14..<42])), on: 1)
        // Of 1480 bytes 1006 are the next plateau, and less than IPv6 takes everywhere.
        #expect(outcome.sent.first.map { Message($0.bytes) } == Message(2, 0, 1280))
        let jumbo = try FamilyRig(widths: (9000, 9000))
        jumbo.open()
        let long = jumbo.request.tcp(
            from: 4000, to: 80, flags: 16, payload: [UInt8](repeating: 1, count: 6000))
        let left = try #require(jumbo.send(long).sent.first).bytes
        let answer = jumbo.send(
            error(Message(3, 4), router(jumbo), Array(left[14..<42])), on: 1)
        #expect(answer.sent.first.map { Message($0.bytes) } == Message(2, 0, 4372))
    }

    @Test func `Extensions are cut off, and no error is longer than those of its family`() throws {
        let rig = try FamilyRig()
        rig.open()
        let object = [UInt8](repeating: 0xee, count: 12)
        // 43 bytes are quoted, and 85 of padding make the 128 that the length in the message says.
        let padding = [UInt8](repeating: 0, count: 128 - 43)
        let told = try #require(
            try fromServer(Message(3, 1, 32 << 16), rig, quoting: 43, then: padding + object)
                .sent.first
        ).bytes
        #expect(Message(told) == Message(1, 0) && told.count == 62 + 40 + 108 && told.isSound)
        let back = try #require(
            try fromClient(
                Message(1, 0, 16 << 24), rig, quoting: 63,
                then: [UInt8](repeating: 0, count: 128 - 63) + object
            ).sent.first
        ).bytes
        #expect(Message(back) == Message(3, 1) && back.count == 42 + 20 + 88 && back.isSound)
        let long = [UInt8](repeating: 7, count: 1400)
        #expect(try fromServer(Message(3, 1), rig, then: long).sent.first?.bytes.count == 14 + 1280)
        #expect(try fromClient(Message(1, 0), rig, then: long).sent.first?.bytes.count == 14 + 576)
    }

    @Test func `A damaged error is not made right`() throws {
        let rig = try FamilyRig()
        rig.open()
        let request = rig.request.tcp(from: 4000, to: 80, flags: 16)
        let sent = try #require(rig.send(request).sent.first).bytes
        var old = error(Message(3, 1), router(rig), Array(sent[14...]))
        old[50] ^= 1
        #expect(rig.send(old, on: 1).verdict == .drop(.wrongChecksum))
        var problem = error(Message(12, 0), router(rig), Array(sent[14...]))
        problem[50] ^= 1
        #expect(rig.send(problem, on: 1).verdict == .drop(.wrongChecksum))
        let reply = rig.reply.tcp(from: 8080, to: 4000, flags: 16)
        let back = try #require(rig.send(reply, on: 1).sent.first).bytes
        var new = error(Message(1, 0), gateway(rig), Array(back[14...]))
        new[60] ^= 1
        #expect(rig.send(new).verdict == .drop(.wrongChecksum))
    }

    @Test func `Quotes cut short at any byte never do more than end`() throws {
        let rig = try FamilyRig()
        rig.open()
        for length in 0..<64 {
            for message in [Message(3, 3), Message(3, 4, 1400), Message(11, 0), Message(12, 0)] {
                for sent in try fromServer(message, rig, quoting: length).sent {
                    #expect(sent.bytes.isSound && sent.port == 0 && length >= 24)
                }
            }
        }
        for length in 0..<84 {
            for message in [Message(1, 4), Message(2, 0, 1400), Message(4, 0, 6)] {
                for sent in try fromClient(message, rig, quoting: length).sent {
                    #expect(sent.bytes.isSound && sent.port == 1 && length >= 44)
                }
            }
        }
    }

    @Test func `A parameter problem about anything else stays the host's`() throws {
        let rig = try FamilyRig()
        rig.open()
        var quote = PacketBuilder(
            from: FamilyRig.own.v4, at: HardwareAddress(value: 1), to: FamilyRig.server,
            at: HardwareAddress(value: 2)
        ).tcp(from: 9, to: 8080, flags: 2)
        quote.removeFirst(14)
        #expect(rig.send(error(Message(12, 0), router(rig), quote), on: 1).verdict == .pass)
    }
}

import Control
import LVS
import Posix
import Synchronization
import Testing

/// Clients that mean no good, or too much of it.
struct HostileClientTests {
    @Test func aHundredClientsAtOnceAreAllServed() throws {
        try withDirector { path in
            let clients = try (0..<100).map { _ in try ControlClient(path: path) }
            for (number, client) in clients.enumerated() {
                var service = Sample.absent
                service.identity = .endpoint(
                    transport: 6, Sample.vip, port: UInt16(1000 + number))
                try client.perform(.addService(service))
            }
            #expect(try clients[0].services().count == 102)
        }
    }

    @Test func moreClientsThanThereIsRoomForAreTurnedAwayAndTheOthersStay() throws {
        try withDirector { path in
            let first = try ControlClient(path: path)
            var crowd: [ControlClient] = []
            for _ in 0..<ControlServer.mostConnections * 2 {
                if let client = try? ControlClient(path: path) { crowd.append(client) }
            }
            #expect(crowd.count == ControlServer.mostConnections - 1)
            #expect(try first.services().count == 2)
            crowd = []
            // The room is free again as soon as the director has seen them go.
            let end = MonotonicClock.now() + 10_000_000_000
            var isServed = false
            while !isServed, MonotonicClock.now() < end {
                isServed = (try? ControlClient(path: path)) != nil
            }
            #expect(isServed)
        }
    }

    @Test func garbageHalfMessagesAndLongPacketsHarmNobodyElse() throws {
        try withDirector { path in
            let good = try ControlClient(path: path)
            // Always the same: by chance a message can be a command to flush the table.
            var generator = SeededGenerator(seed: 1)
            for length in [1, 3, 15, 16, 17, 20, 100, 4000, ControlServer.requestBytes] {
                for isPlausible in [false, true] {
                    let socket = try UnixSocket.connect(path: path)
                    var packet = (0..<length).map { _ in
                        UInt8.random(in: 0...255, using: &generator)
                    }
                    if isPlausible, length >= 16 {
                        packet.replaceSubrange(
                            0..<2, with: [UInt8(length & 255), UInt8(length >> 8 & 255)])
                        packet.replaceSubrange(2..<8, with: [0, 0, 0x1c, 0, 5, 0])
                    }
                    try UnixSocket.send(packet, on: socket)
                }
            }
            #expect(try good.services().count == 2)
            // A packet that no client needs ends its connection.
            let long = try UnixSocket.connect(path: path)
            let packet = [UInt8](repeating: 0, count: ControlServer.requestBytes + 1)
            try UnixSocket.send(packet, on: long)
            var buffer = [UInt8](repeating: 0, count: 64)
            let answer = try? UnixSocket.receive(from: long, by: &buffer)
            #expect(answer == nil || answer == .some(nil))
            #expect(try good.services().count == 2)
        }
    }

    @Test func manyCommandsOfOneClientLeaveTurnsToTheOthers() throws {
        let target = Sample.target()
        let now = Instant(nanoseconds: MonotonicClock.now())
        let path = temporaryPath()
        let server = try ControlServer(path: path, target: target, daemon: target, now: now)
        defer { server.close() }
        let greedy = try UnixSocket.connect(path: path)
        let modest = try UnixSocket.connect(path: path)
        try greedy.setNonBlocking(true)
        try modest.setNonBlocking(true)
        var buffer = [UInt8](repeating: 0, count: 65536)
        var sent = 0
        var answered = 0
        var longest: UInt64 = 0
        var modestAnswers = 0
        var turns = 0
        while answered < 20_000, turns < 100_000 {
            turns += 1
            while sent < 20_000,
                (try? UnixSocket.send(Request(.getInformation).bytes, on: greedy)) != nil
            {
                sent += 1
            }
            if turns % 10 == 0 {
                try? UnixSocket.send(Request(.getConfiguration).bytes, on: modest)
            }
            let began = MonotonicClock.now()
            server.handle(server.interests.map(\.descriptor), now: now)
            longest = max(longest, MonotonicClock.now() - began)
            while (try? UnixSocket.receive(from: greedy, by: &buffer)) != nil {
                answered += 1
            }
            while (try? UnixSocket.receive(from: modest, by: &buffer)) != nil {
                modestAnswers += 1
            }
        }
        // An answer and an acknowledgement for each request, each a packet of its own.
        #expect(answered >= 20_000)
        // Of two packets for each request all but those of the last turns have come.
        #expect(modestAnswers >= (turns / 10 - 2) * 2, "\(modestAnswers) in \(turns) turns")
        #expect(longest < 2_000_000_000, "\(longest) ns")
    }

    @Test func theGroupMayUseTheSocketAndNobodyElse() throws {
        let target = Sample.target()
        let path = temporaryPath()
        let now = Instant(nanoseconds: MonotonicClock.now())
        let group = try #require(Identity.group("\(Identity.ownGroup)"))
        let server = try ControlServer(
            path: path, target: target, daemon: target, now: now, group: group)
        #expect(Files.identity(path)?.mode == 0o660)
        server.close()
        let alone = try ControlServer(path: path, target: target, daemon: target, now: now)
        #expect(Files.identity(path)?.mode == 0o600)
        alone.close()
        #expect(Identity.group("no-such-group") == nil)
        #expect(Identity.group("root") == 0)
    }
}

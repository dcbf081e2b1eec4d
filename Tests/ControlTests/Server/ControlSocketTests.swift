import Control
import LVS
import Posix
import Synchronization
import Testing

/// The control socket as clients meet it: real sockets, a director in a thread of its own.
struct ControlSocketTests {
    @Test func aClientConfiguresAndListsADirector() throws {
        try withDirector { path in
            let client = try ControlClient(path: path)
            #expect(try client.information().tableSize == 4096)
            try client.perform(.addService(Sample.absent))
            try client.perform(.addServer(Sample.web1, to: Sample.absent))
            try client.perform(.addServer(Sample.web2, to: Sample.absent))
            try client.perform(.editServer(Sample.web2.with(\.weight, 7), of: Sample.absent))
            #expect(try client.destinations(of: Sample.absent).map(\.weight) == [7, 1])
            try client.perform(.deleteServer(Sample.web1, of: Sample.absent))
            #expect(try client.destinations(of: Sample.absent).count == 1)
            try client.perform(.editService(Sample.absent.with(\.scheduler, "wrr")))
            #expect(try client.service(Sample.absent).scheduler == "wrr")
            try client.setTimeouts(TimeoutsRecord(udpSeconds: 9))
            #expect(try client.timeouts().udpSeconds == 9)
            #expect(try client.services().count == 3)
            try client.perform(.deleteService(Sample.absent))
            try client.zero()
            try client.flush()
            #expect(try client.services().isEmpty)
            #expect(try client.text("status") == "all is well\n")
            try client.write("settings", key: "drop_packet", value: "3")
            #expect(try client.text("settings", key: "drop_packet") == "3\n")
        }
    }

    @Test func aRefusalReachesTheClientWithNumberAndSentence() throws {
        try withDirector { path in
            let client = try ControlClient(path: path)
            #expect(throws: ControlError.refused(Refusal(.exists))) {
                try client.perform(.addService(Sample.http))
            }
            #expect(
                throws: ControlError.refused(Refusal(.noSuchEntry, "'nope' is not known"))
            ) {
                try client.perform(.addService(Sample.absent.with(\.scheduler, "nope")))
            }
            // The connection goes on.
            #expect(try client.services().count == 2)
        }
    }

    @Test func twoClientsAreServedAtOnce() throws {
        try withDirector { path in
            let one = try ControlClient(path: path)
            let two = try ControlClient(path: path)
            try one.perform(.addService(Sample.absent))
            #expect(try two.services().count == 3)
            #expect(throws: ControlError.refused(Refusal(.exists))) {
                try two.perform(.addService(Sample.absent))
            }
            try two.perform(.deleteService(Sample.absent))
            #expect(try one.services().count == 2)
        }
    }

    @Test func requestsSentAheadAreAllAnswered() throws {
        try withDirector { path in
            let socket = try UnixSocket.connect(path: path)
            var buffer = [UInt8](repeating: 0, count: 65536)
            // More than one turn serves, so that turns end with a request read and not answered.
            for count in [1, 63, 64, 65, 100] {
                for sequence in 0..<count {
                    var request = Request(.getConfiguration)
                    request.sequence = UInt32(sequence)
                    try UnixSocket.send(request.bytes, on: socket)
                }
                var acknowledged = 0
                while acknowledged < count {
                    let packet = try UnixSocket.receive(from: socket, by: &buffer)
                    var rest = try #require(packet)[...]
                    while let message = NetlinkMessage(takingFrom: &rest) {
                        if message.type == NetlinkType.error { acknowledged += 1 }
                    }
                }
            }
        }
    }

    @Test func withoutADirectorTheClientSaysSo() {
        let path = temporaryPath()
        #expect(throws: ControlError.self) { try ControlClient(path: path) }
    }

    @Test func aClientThatDoesNotReadIsDroppedAndHoldsUpNobody() throws {
        let target = Sample.target()
        for number in UInt32(0)..<1500 {
            try target.add(
                VirtualService(
                    key: .address(.tcp, IPAddress(v4: 0x0b00_0000 + number), port: 80),
                    scheduler: "rr"))
        }
        let path = temporaryPath()
        var now = Instant(nanoseconds: 1_000_000_000)
        let server = try ControlServer(
            path: path, target: target, daemon: target, now: now, stallSeconds: 5)
        let lazy = try UnixSocket.connect(path: path)
        try UnixSocket.send(Request(.getService, dump: true).bytes, on: lazy)
        let busy = try UnixSocket.connect(path: path)
        try busy.setNonBlocking(true)
        try UnixSocket.send(Request(.getInformation).bytes, on: busy)
        for _ in 0..<200 {
            for item in server.interests { server.handle(item.descriptor, now: now) }
        }
        #expect(server.connectionCount == 2)
        #expect(server.interests.count { $0.writing } == 1)
        var buffer = [UInt8](repeating: 0, count: 4096)
        #expect(try UnixSocket.receive(from: busy, by: &buffer) != nil)
        now = now.advanced(bySeconds: 4)
        server.tick(now)
        #expect(server.connectionCount == 2)
        now = now.advanced(bySeconds: 2)
        server.tick(now)
        #expect(server.connectionCount == 1)
        server.close()
    }

    @Test func aClientThatReadsInItsOwnTimeGetsAllOfALargeDump() throws {
        let target = Sample.target()
        for number in UInt32(0)..<1500 {
            try target.add(
                VirtualService(
                    key: .address(.tcp, IPAddress(v4: 0x0b00_0000 + number), port: 80),
                    scheduler: "rr"))
        }
        try withDirector(target) { path in
            let services = try ControlClient(path: path).services()
            #expect(services.count == 1502)
        }
    }

    @Test func theSocketIsTheOwnersAloneAndIsRemovedAtTheEnd() throws {
        let path = temporaryPath()
        let target = Sample.target()
        let server = try ControlServer(
            path: path, target: target, daemon: target, now: Instant(nanoseconds: 0))
        #expect(Files.identity(path)?.mode == 0o600)
        server.close()
        #expect(Files.identity(path) == nil)
    }

    @Test func aLivingDirectorKeepsItsSocketAndADeadOnesIsReplaced() throws {
        let path = temporaryPath()
        let target = Sample.target()
        let first = try ControlServer(
            path: path, target: target, daemon: target, now: Instant(nanoseconds: 0))
        #expect(throws: SystemError("bind", on: path, code: 98)) {
            try ControlServer(
                path: path, target: target, daemon: target, now: Instant(nanoseconds: 0))
        }
        first.close()
        // A listener that ends without removing its file, as a killed director does.
        _ = try UnixSocket.listen(path: path)
        #expect(Files.identity(path) != nil)
        let second = try ControlServer(
            path: path, target: target, daemon: target, now: Instant(nanoseconds: 0))
        second.close()
    }

    @Test func aFileThatIsNoSocketIsLeftAlone() {
        let path = "/proc/self/status"
        let target = Sample.target()
        #expect(throws: SystemError("bind", on: path, code: 88)) {
            try ControlServer(
                path: path, target: target, daemon: target, now: Instant(nanoseconds: 0))
        }
    }

    @Test func closingLeavesTheSocketOfASuccessorInPlace() throws {
        let path = temporaryPath()
        let target = Sample.target()
        let first = try ControlServer(
            path: path, target: target, daemon: target, now: Instant(nanoseconds: 0))
        UnixSocket.remove(path: path)
        let second = try ControlServer(
            path: path, target: target, daemon: target, now: Instant(nanoseconds: 0))
        first.close()
        #expect(Files.identity(path) != nil)
        second.close()
    }

    @Test func theDefaultPathNamesTheNetworkNamespace() throws {
        let identity = try NetworkNamespace.identity()
        #expect(ControlPath.default().hasSuffix("/\(identity).sock"))
        #expect(ControlPath.resolve("/tmp/x") == "/tmp/x")
    }
}

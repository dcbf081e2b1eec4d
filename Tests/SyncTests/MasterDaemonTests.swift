import LVS
import Posix
import Sync
import Testing

@Suite struct MasterDaemonTests {
    private static func told(_ port: UInt16 = 1) -> ToldConnection {
        var told = ToldConnection(
            transport: .tcp, client: IPAddress(v4: 0xc633_6401), clientPort: port,
            virtual: IPAddress(v4: 0x0a01_0064), virtualPort: 80,
            real: IPAddress(v4: 0x0a02_000b), realPort: 8080, method: 0, state: 1)
        told.timeoutSeconds = 900
        return told
    }

    private static let wide = ToldConnection(
        transport: .tcp, client: IPAddress(high: 0x2001_0db8_0001_0000, low: 7), clientPort: 1,
        virtual: IPAddress(high: 0x2001_0db8_0000_0000, low: 0x64), virtualPort: 80,
        real: IPAddress(high: 0x2001_0db8_0002_0000, low: 0xb), realPort: 80, method: 0, state: 1)

    private static func at(_ milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: 3_600_000_000_000 + milliseconds * 1_000_000)
    }

    private static func daemon(
        maximumBytes: Int = 1472, ports: Int = 1, version: SyncMessage.Version = .one,
        queueLimit: Int = 16_384
    ) -> MasterDaemon {
        var terms = MasterDaemon.Terms()
        terms.version = version
        terms.queueLimit = queueLimit
        return MasterDaemon(
            syncID: 0x107, maximumBytes: maximumBytes, ports: ports, terms: terms)
    }

    /// Has others told of as many connections, with ports from 1 on.
    private static func tell(_ count: Int, _ daemon: inout MasterDaemon, at time: UInt64 = 0) {
        for number in 1...count {
            daemon.tell(told(UInt16(number)), number: 0, now: at(time))
        }
    }

    /// Takes what a socket has to send.
    private static func sent(_ daemon: inout MasterDaemon, by lane: Int = 0) -> [[UInt8]] {
        var messages: [[UInt8]] = []
        while let message = daemon.next(of: lane) {
            messages.append(message)
            daemon.sent(by: lane)
        }
        return messages
    }

    /// The clients' ports in a message, as a backup of number 7 reads it.
    private static func ports(_ message: [UInt8]) -> [UInt16] {
        var ports: [UInt16] = []
        var backup = BackupDaemon(syncID: 7)
        backup.receive(message) {
            ports.append($0.clientPort)
            return .made
        }
        #expect(backup.faults == [:])
        return ports
    }

    // MARK: When a message leaves

    @Test func `A message waits two seconds for more, from its first connection on`() {
        var daemon = Self.daemon()
        daemon.flush(now: Self.at(0))
        #expect(daemon.next(of: 0) == nil)
        daemon.tell(Self.told(1), number: 0, now: Self.at(100))
        daemon.tell(Self.told(2), number: 0, now: Self.at(1900))
        daemon.flush(now: Self.at(2099))
        #expect(daemon.next(of: 0) == nil)
        daemon.flush(now: Self.at(2100))
        #expect(Self.sent(&daemon).map(Self.ports) == [[1, 2]])
        daemon.tell(Self.told(3), number: 0, now: Self.at(2200))
        daemon.flush(now: Self.at(4199))
        #expect(daemon.next(of: 0) == nil, "this one has begun later")
        daemon.flush(now: Self.at(4200))
        #expect(Self.sent(&daemon).map(Self.ports) == [[3]])
        daemon.flush(now: Self.at(9999))
        #expect(daemon.next(of: 0) == nil)
    }

    @Test func `A clock that stands or goes back sends nothing early`() {
        var daemon = Self.daemon()
        daemon.tell(Self.told(1), number: 0, now: Self.at(5000))
        daemon.flush(now: Self.at(5000))
        daemon.flush(now: Self.at(1000))
        #expect(daemon.next(of: 0) == nil)
    }

    @Test func `A message that is begun because the last was full waits from then on`() {
        // Two connections of 36 bytes behind a header of 8.
        var daemon = Self.daemon(maximumBytes: 80)
        Self.tell(2, &daemon, at: 0)
        #expect(daemon.next(of: 0) == nil, "a kernel closes it when the next has no room")
        daemon.tell(Self.told(3), number: 0, now: Self.at(1500))
        #expect(Self.sent(&daemon).map(Self.ports) == [[1, 2]])
        daemon.flush(now: Self.at(3499))
        #expect(daemon.next(of: 0) == nil)
        daemon.flush(now: Self.at(3500))
        #expect(Self.sent(&daemon).map(Self.ports) == [[3]])
    }

    // MARK: What is in it

    @Test(arguments: [
        (1, SyncMessage.Version.one, 1), (79, .one, 1), (80, .one, 2), (1472, .one, 40),
        (1, .zero, 1), (52, .zero, 2), (1472, .zero, 61), (65_507, .one, 255),
    ])
    func `No message is longer than it may be, but for a single connection`(
        maximumBytes: Int, version: SyncMessage.Version, count: Int
    ) {
        var daemon = Self.daemon(maximumBytes: maximumBytes, version: version)
        Self.tell(600, &daemon)
        daemon.flush(now: Self.at(2000))
        let messages = Self.sent(&daemon)
        #expect(messages.flatMap(Self.ports) == Array(1...600))
        #expect(messages.dropLast().allSatisfy { Self.ports($0).count == count })
        #expect(messages.allSatisfy { $0.count <= maximumBytes || Self.ports($0).count == 1 })
        #expect(daemon.entries == 600 && daemon.messages == UInt64(messages.count))
        #expect(daemon.bytes == UInt64(messages.map(\.count).reduce(0, +)))
    }

    @Test func `Of the number of the master eight bits are sent`() {
        var daemon = Self.daemon()
        Self.tell(1, &daemon)
        daemon.flush(now: Self.at(2000))
        #expect(Self.sent(&daemon).map { $0[1] } == [7])
    }

    @Test func `A change of the format ends the message that is being filled`() {
        var daemon = Self.daemon()
        Self.tell(2, &daemon)
        daemon.terms.version = .zero
        #expect(daemon.next(of: 0) == nil, "until there is another connection")
        daemon.tell(Self.told(3), number: 0, now: Self.at(100))
        daemon.terms.version = .one
        daemon.tell(Self.told(4), number: 0, now: Self.at(200))
        daemon.flush(now: Self.at(2200))
        let messages = Self.sent(&daemon)
        #expect(messages.map(Self.ports) == [[1, 2], [3], [4]])
        // Where format 1 has a zero, format 0 has the count.
        #expect(messages.map { $0[0] } == [0, 1, 0])
    }

    @Test func `Format 0 leaves IPv6 out, and says so`() {
        var daemon = Self.daemon(version: .zero)
        daemon.tell(Self.wide, number: 0, now: Self.at(0))
        daemon.flush(now: Self.at(2000))
        #expect(daemon.next(of: 0) == nil)
        #expect(daemon.untold == 1 && daemon.entries == 0)
        #expect(daemon.summary.contains { $0.contains("1 connections of IPv6") })
        daemon.terms.version = .one
        daemon.tell(Self.wide, number: 0, now: Self.at(2000))
        daemon.flush(now: Self.at(4000))
        #expect(Self.sent(&daemon).map(\.count) == [8 + 72])
    }

    // MARK: Ports and queues

    @Test func `Each entry keeps to the port that its number leads to`() {
        var daemon = Self.daemon(ports: 4)
        for number in [0, 1, 2, 3, 4, 6, .max] as [UInt32] {
            daemon.tell(Self.told(UInt16(number & 0xff)), number: number, now: Self.at(0))
        }
        daemon.flush(now: Self.at(2000))
        let lanes = (0..<4).map { Self.sent(&daemon, by: $0).map(Self.ports) }
        #expect(lanes == [[[0, 4]], [[1]], [[2, 6]], [[3, 255]]])
    }

    @Test(arguments: [0, 1, 2, 5]) func `Messages beyond sync_qlen_max are lost, and counted`(
        limit: Int
    ) {
        var daemon = Self.daemon(maximumBytes: 44, queueLimit: limit)
        // The last one is still being filled.
        Self.tell(6, &daemon)
        #expect(daemon.crowdedOut == UInt64(5 - limit))
        #expect(daemon.summary.contains { $0.contains("sync_qlen_max") } == (limit < 5))
        #expect(Self.sent(&daemon).map(Self.ports) == (0..<limit).map { [UInt16($0 + 1)] })
        daemon.terms.queueLimit = 1
        daemon.flush(now: Self.at(2000))
        #expect(Self.sent(&daemon).map(Self.ports) == [[6]], "there is room again")
        #expect(daemon.entries == 6 && daemon.messages == UInt64(limit + 1))
    }

    @Test func `The queues of the ports are counted apart`() {
        var daemon = Self.daemon(maximumBytes: 44, ports: 2, queueLimit: 1)
        for number in UInt32(0)..<4 { daemon.tell(Self.told(), number: number, now: Self.at(0)) }
        #expect(daemon.crowdedOut == 0)
        daemon.tell(Self.told(), number: 1, now: Self.at(0))
        #expect(daemon.crowdedOut == 1)
    }

    @Test func `What the network does not take is lost, and the next follows`() {
        var daemon = Self.daemon(maximumBytes: 44)
        Self.tell(4, &daemon)
        #expect(daemon.next(of: 0) == daemon.next(of: 0))
        daemon.failed(by: 0)
        daemon.failed(by: 0)
        #expect(Self.sent(&daemon).map(Self.ports) == [[3]])
        #expect(daemon.unsent == 2 && daemon.messages == 1)
        #expect(
            daemon.summary == [
                "1 messages, 44 bytes, 4 connections told",
                "lost: 2 messages that the network did not take",
            ])
    }

    @Test func `Thousands that wait leave in their order, while others come`() {
        var daemon = Self.daemon(maximumBytes: 44)
        Self.tell(5001, &daemon)
        #expect(daemon.summary.contains("5000 messages wait"))
        var ports: [UInt16] = []
        for turn in 0..<5000 {
            ports += daemon.next(of: 0).map(Self.ports) ?? []
            daemon.sent(by: 0)
            if turn == 2500 { Self.tell(1, &daemon) }
        }
        ports += Self.sent(&daemon).flatMap(Self.ports)
        #expect(ports == Array(1...5001))
    }

    // MARK: The thread

    @Test func `Without its interface a master says so, loses what it is told, and can be ended`()
        throws
    {
        let place = DaemonPlace(
            interface: "no-such-one", group: IPAddress(v4: 0xe000_0051), port: 8848, syncID: 7,
            maximumBytes: 1472)
        let sender = MasterSender(place, [], MasterDaemon.Terms())
        do throws(SystemError) {
            try sender.open()
            Issue.record("there is no such interface")
        } catch {
            #expect(error.isMissingDevice && "\(error)".contains("no-such-one"))
        }
        #expect(sender.trouble?.isMissingDevice == true)
        #expect(!sender.keep(), "it is as before")
        try sender.start()
        sender.stop()
        sender.stop()
        #expect(
            sender.summary.first
                == "on no-such-one, group 224.0.0.81, port 8848, syncid 7, format 1")
        #expect(sender.summary.contains { $0.contains("sends nothing now") })
    }

    @Test func `A master says on which ports it sends`() {
        var place = DaemonPlace(
            interface: "eth0", group: IPAddress(v4: 0xe000_0051), port: 9000, syncID: 1,
            maximumBytes: 1472)
        place.ports = 4
        let sender = MasterSender(place, [], MasterDaemon.Terms())
        #expect(
            sender.summary.first == "on eth0, group 224.0.0.81, port 9000-9003, syncid 1, format 1")
    }
}

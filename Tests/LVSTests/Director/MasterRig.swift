import LVS
import TestKit

/// A director whose master of connection synchronisation runs, packets of both ends, and what is told.
final class MasterRig {
    static let client = IPAddress(v4: 0xc633_6401)
    static let server = IPAddress(v4: 0x0a02_000b)
    static let web = ["-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m"]
    static let persistentWeb = [
        "-A -t 10.1.0.100:80 -s rr -p 60", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m",
    ]

    let rig: DirectorRig

    init(
        _ lines: [String] = web, _ settings: [String: String] = [:], connections: Int = 4096,
        workers: Int = 1, isMaster: Bool = true
    ) throws {
        rig = DirectorRig.twoLegged(connections: connections, workers: workers)
        for line in lines {
            try RuleLine.run(line.split(separator: " ").map(String.init), on: rig.director)
        }
        for (name, text) in settings { try rig.director.set(name: name, text: text) }
        if isMaster { rig.director.setMasterDaemon(isRunning: true) }
    }

    var director: Director { rig.director }

    /// A segment of the client; FIN is 1, SYN 2, RST 4, ACK 16.
    @discardableResult
    func client(
        _ flags: UInt8, from port: UInt16 = 4000, to virtualPort: UInt16 = 80, _ text: String = "",
        worker: Int = 0
    ) -> Verdict {
        let frame = DirectorRig.client(Self.client).tcp(
            from: port, to: virtualPort, flags: flags, payload: Array(text.utf8))
        return rig.send(frame, on: 0, worker: worker).verdict
    }

    /// A segment of the server.
    @discardableResult
    func server(
        _ flags: UInt8, from port: UInt16 = 8080, to clientPort: UInt16 = 4000, _ text: String = ""
    ) -> Verdict {
        let frame = DirectorRig.server(Self.server, to: Self.client).tcp(
            from: port, to: clientPort, flags: flags, payload: Array(text.utf8))
        return rig.send(frame, on: 1).verdict
    }

    /// A datagram of the client to port 53, or to another.
    @discardableResult
    func datagram(to port: UInt16 = 53, _ text: String = "?") -> Verdict {
        let frame = DirectorRig.client(Self.client).udp(
            from: 4000, to: port, payload: Array(text.utf8))
        return rig.send(frame, on: 0).verdict
    }

    /// SYN, SYN-ACK, ACK: two packets of the client.
    func open(from port: UInt16 = 4000) {
        client(2, from: port)
        server(18, to: port)
        client(16, from: port)
    }

    /// What others have been told of since the last time, one queue after the other.
    func told() -> [ToldConnection] {
        var all: [ToldConnection] = []
        for queue in director.syncQueues {
            while let item = queue.take() { all.append(item.told) }
        }
        return all
    }

    /// The states that others have been told of.
    func states() -> [TCPState] { told().compactMap { TCPState(rawValue: UInt8($0.state)) } }

    /// The packets of the client, from the first one on, with which others are told of an established
    /// connection; with several workers each has its turn.
    func tellings(until last: Int) -> [Int] {
        let workers = director.workers.count
        var numbers: [Int] = []
        for number in 1...last {
            client(number == 1 ? 2 : 16, worker: number % workers)
            if number == 1 { server(18) }
            numbers += told().map { _ in number }
        }
        return numbers
    }

    /// Connections that found no room.
    var lost: UInt64 { director.syncQueues.map(\.lost).reduce(0, +) }

    /// Numbers of the entries that the table has.
    var numbers: [UInt32] {
        var numbers: [UInt32] = []
        director.table.forEach { numbers.append($0.number) }
        return numbers
    }
}

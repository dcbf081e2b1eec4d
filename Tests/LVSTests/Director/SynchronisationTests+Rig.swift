import LVS
import TestKit
import Testing

// The director that is told of connections, and what is told.
extension SynchronisationTests {
    static let virtual = IPAddress(v4: 0x0a01_0064)
    static let client = IPAddress(v4: 0xc633_6401)
    static let rules = [
        "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m",
        "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m",
        "-A -u 10.1.0.100:53 -s rr", "-a -u 10.1.0.100:53 -r 10.2.0.11:53 -g",
        "-A -f 7 -s rr -p 300", "-a -f 7 -r 10.2.0.13:0 -g", "-a -f 7 -r 10.2.0.14:0 -m",
        "-A -t 10.1.0.100:21 -s rr -p 300", "-a -t 10.1.0.100:21 -r 10.2.0.11:21 -m",
        "-A -u 10.1.0.100:5060 -s rr -p 60 --pe sip", "-a -u 10.1.0.100:5060 -r 10.2.0.11:5060 -m",
    ]

    static func rig(
        _ lines: [String] = rules, connections: Int = 4096
    ) throws -> DirectorRig {
        let rig = DirectorRig.twoLegged(connections: connections)
        for line in lines {
            try RuleLine.run(line.split(separator: " ").map(String.init), on: rig.director)
        }
        return rig
    }

    /// A connection of the client to the second server, as a message tells it.
    static func told(
        _ port: UInt16 = 4000, to server: UInt32 = 12, state: TCPState = .established
    ) -> ToldConnection {
        var told = ToldConnection(
            transport: .tcp, client: client, clientPort: port, virtual: virtual, virtualPort: 80,
            real: IPAddress(v4: 0x0a02_0000 + server), realPort: 8080, method: 0,
            state: UInt16(state.rawValue))
        told.isInactive = !state.isActive
        told.timeoutSeconds = 700
        return told
    }

    static func template() -> ToldConnection {
        var told = told(0)
        told.isTemplate = true
        told.isInactive = true
        told.timeoutSeconds = nil
        return told
    }

    static func take(
        _ told: ToldConnection, _ rig: DirectorRig, _ outcome: ToldOutcome
    ) {
        let taken = rig.director.take(told, now: rig.clock.now)
        #expect(taken == outcome, "\(told)")
    }

    static func listings(_ rig: DirectorRig) -> [ConnectionListing] {
        var listings: [ConnectionListing] = []
        rig.director.forEachConnection { listings.append($0) }
        return listings
    }

    static func only(_ rig: DirectorRig) throws -> ConnectionListing {
        let all = listings(rig)
        #expect(all.count == 1)
        return try #require(all.first)
    }

    /// Active, inactive and persistent connections of each server of a service.
    static func counts(
        _ rig: DirectorRig, _ transport: TransportProtocol = .tcp, port: UInt16 = 80
    ) throws -> [String: [UInt32]] {
        let key = ServiceKey.address(transport, virtual, port: port)
        let service = try #require(rig.director.service(key))
        return Dictionary(
            uniqueKeysWithValues: service.servers.map {
                ("\($0.server.address)", [$0.active, $0.inactive, $0.persistent])
            })
    }
}

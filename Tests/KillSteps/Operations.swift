internal import LVS

/// Something that is done to a table, and that a kill may end after every instruction.
struct Operation {
    var name: String
    var connections = 64
    /// Brings the table to where the operation begins; what it returns is handed to it.
    var prepare: (Fixture) -> Connection?
    var body: (Fixture, Connection?) -> Void

    /// Later than every timeout but those of the others.
    private static let later = Fixture.now.advanced(bySeconds: 61)

    private static func inserting(_ name: String, _ spec: @escaping () -> ConnectionSpec)
        -> Operation
    {
        Operation(
            name: name, prepare: { _ in nil }, body: { fixture, _ in fixture.insert(spec()) })
    }

    private static func ending(_ name: String, _ spec: @escaping () -> ConnectionSpec)
        -> Operation
    {
        Operation(
            name: name, prepare: { $0.insert(spec()) },
            body: { fixture, made in
                if let made { _ = fixture.table.expire(made, worker: 0) }
            })
    }

    static var all: [Operation] {
        [
            inserting("insert NAT") { Fixture.spec(1) },
            inserting("insert DR") { Fixture.spec(1, server: 1, method: .directRouting) },
            inserting("insert IPv6") { Fixture.wide(1) },
            inserting("insert FULLNAT") { Fixture.fullNAT(1, 5000) },
            inserting("insert FULLNAT with a line") { Fixture.fullNAT(1, 5000, anew: true) },
            inserting("insert a template") { Fixture.template(1) },
            inserting("insert a control connection") { Fixture.ftp(1) },
            ending("end NAT") { Fixture.spec(1) },
            ending("end DR") { Fixture.spec(1, server: 1, method: .directRouting) },
            ending("end IPv6") { Fixture.wide(1) },
            ending("end FULLNAT") { Fixture.fullNAT(1, 5000) },
            ending("end a control connection") { Fixture.ftp(1) },
        ] + changes + lists + servers
    }

    private static var changes: [Operation] {
        [
            Operation(
                name: "follow a template", prepare: { $0.insert(Fixture.template(1)) },
                body: { fixture, template in
                    guard let template, fixture.table.hold(template) else { return }
                    var spec = Fixture.spec(2)
                    spec.controller = template.number
                    fixture.insert(spec)
                }),
            Operation(
                name: "take a template out", prepare: { $0.insert(Fixture.template(1)) },
                body: { fixture, template in
                    if let template { fixture.table.invalidate(template) }
                }),
            Operation(
                name: "change a state", prepare: { $0.insert(Fixture.spec(1)) },
                body: { _, made in
                    guard let made else { return }
                    var control = made.control
                    control.state = TCPState.established.rawValue
                    control.isInactive = false
                    _ = made.exchange(made.control, for: control)
                    made.restart(timeoutSeconds: 900, now: Fixture.now)
                }),
            Operation(
                name: "learn a client's port",
                prepare: { fixture in
                    guard let control = fixture.insert(Fixture.ftp(1)), fixture.table.hold(control)
                    else { return nil }
                    return fixture.insert(Fixture.expected(1, by: control))
                },
                body: { fixture, waiting in
                    guard let waiting else { return }
                    _ = fixture.table.learnPort(
                        4321, by: nil, of: waiting, worker: 0, now: Fixture.now, release: { _ in })
                }),
            Operation(
                name: "insert beside an equal reply",
                prepare: { $0.insert(Fixture.spec(1, port: 81)) },
                body: { fixture, _ in fixture.insert(Fixture.spec(1)) }),
        ]
    }

    private static var lists: [Operation] {
        [
            Operation(
                name: "sweep",
                prepare: { fixture in
                    for client in UInt32(1)..<4 {
                        var spec = Fixture.spec(client)
                        spec.timeoutSeconds = 1
                        fixture.insert(spec)
                    }
                    return nil
                },
                body: { fixture, _ in
                    let soon = Fixture.now.advanced(bySeconds: 2)
                    _ = fixture.table.sweep(from: 0, count: .max, worker: 1, now: soon) { _ in }
                }),
            Operation(
                name: "reclaim",
                prepare: { fixture in
                    for client in UInt64(1)..<4 {
                        if let made = fixture.insert(Fixture.wide(client)) {
                            _ = fixture.table.expire(made, worker: 0)
                        }
                    }
                    return nil
                },
                body: { fixture, _ in
                    fixture.table.reclaim(0)
                    fixture.table.reclaim(0)
                }),
            Operation(
                name: "give blocks back", connections: 512,
                prepare: { fixture in
                    let made = (UInt32(1)..<200).compactMap {
                        fixture.insert(Fixture.spec($0 + 1000))
                    }
                    for connection in made { _ = fixture.table.expire(connection, worker: 0) }
                    return nil
                },
                body: { fixture, _ in
                    fixture.table.reclaim(0)
                    fixture.table.reclaim(0)
                }),
            Operation(
                name: "insert into a full table",
                prepare: { fixture in
                    var client: UInt32 = 1000
                    while fixture.insert(Fixture.spec(client)) != nil { client += 1 }
                    return nil
                },
                body: { fixture, _ in
                    fixture.insert(Fixture.wide(1))
                    fixture.insert(Fixture.spec(1))
                }),
        ]
    }

    private static var servers: [Operation] {
        [
            Operation(
                name: "give a number out", prepare: { _ in nil },
                body: { fixture, _ in
                    let server = RealServer(
                        address: IPAddress(v4: 0x0a01_0099), port: 80, method: .masquerading)
                    try? fixture.director.add(server, to: Fixture.key)
                    var spec = Fixture.spec(1)
                    spec.real = server.address
                    spec.destination = 5
                    fixture.insert(spec)
                }),
            Operation(
                name: "take a number back",
                prepare: { fixture in
                    let server = RealServer(
                        address: IPAddress(v4: 0x0a01_0099), port: 80, method: .masquerading)
                    try? fixture.director.add(server, to: Fixture.key)
                    try? fixture.director.delete(server.address, port: 80, of: Fixture.key)
                    for seconds in [UInt64(10), 20, 30, 40, 50] {
                        fixture.director.tick(Fixture.now.advanced(bySeconds: seconds))
                    }
                    return nil
                },
                body: { fixture, _ in
                    let server = RealServer(
                        address: IPAddress(v4: 0x0a01_0098), port: 80, method: .masquerading)
                    try? fixture.director.delete(Fixture.real(1), port: 8080, of: Fixture.key)
                    try? fixture.director.add(server, to: Fixture.key)
                }),
        ]
    }
}

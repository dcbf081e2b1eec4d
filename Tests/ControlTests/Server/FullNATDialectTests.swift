import Control
import LVS
import Testing

/// FULLNAT on the wire: what directorctl asks for, and what programs see that do not know of it.
struct FullNATDialectTests {
    private let target = Sample.target()
    private var conversation: Conversation
    private let key = Sample.http.key

    init() {
        conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: true)
    }

    private static let hidden = Sample.web2.with(\.fullNAT, true)

    private static func local(_ last: UInt32) -> IPAddress { IPAddress(v4: 0x0a00_0100 + last) }

    private static func locals(
        _ command: IPVSCommand, _ first: UInt32, _ last: UInt32,
        of service: ServiceRecord = Sample.http
    ) -> Request {
        Request(command) { writer in
            service.write(.identity, to: &writer)
            LocalRange(local(first), through: local(last))?.write(to: &writer)
        }
    }

    private var methods: [ForwardingMethod] {
        (target.state.entries.first { $0.service.key == key }?.servers ?? []).map(\.method)
    }

    private var addresses: [IPAddress] {
        target.state.entries.first { $0.service.key == key }?.locals ?? []
    }

    @Test mutating func otherProgramsSeeAServerOfNAT() throws {
        #expect(conversation.ask(Sample.destination(.newDestination, Self.hidden)).error == 0)
        #expect(methods == [.fullNAT, .masquerading])
        let answers = conversation.ask(
            Request(.getDestination, dump: true) { Sample.http.write(.identity, to: &$0) })
        let nests = answers.data.compactMap {
            $0.attributes.nest(AttributeNumber.Top.destination)
        }
        #expect(try nests.map { try $0.number(3, as: UInt32.self) } == [0, 0])
        #expect(try nests.map { try $0.number(200, as: UInt8.self) } == [1, nil])
        // Every kind that the kernel does not have is above all it may come to have soon.
        for nest in nests { nest.forEach { kind, _ in #expect(kind <= 15 || kind >= 200) } }
    }

    @Test mutating func anEditThatSaysNoMoreThanNATLeavesFULLNAT() {
        #expect(conversation.ask(Sample.destination(.newDestination, Self.hidden)).error == 0)
        let stock = Sample.web2.with(\.weight, 5)
        #expect(conversation.ask(Sample.destination(.setDestination, stock)).error == 0)
        let servers = target.state.entries.first { $0.service.key == key }?.servers
        #expect(servers?.first?.method == .fullNAT && servers?.first?.weight == 5)
        // A server of NAT stays one, and other methods are taken by the letter.
        let other = Sample.web1.with(\.weight, 6)
        #expect(conversation.ask(Sample.destination(.setDestination, other)).error == 0)
        #expect(methods == [.fullNAT, .masquerading])
        let routed = stock.with(\.method, 3)
        #expect(conversation.ask(Sample.destination(.setDestination, routed)).error == 0)
        #expect(methods == [.directRouting, .masquerading])
    }

    @Test mutating func directorctlTurnsFULLNATIntoNAT() {
        #expect(conversation.ask(Sample.destination(.newDestination, Self.hidden)).error == 0)
        let masqueraded = Sample.web2.with(\.fullNAT, false)
        #expect(conversation.ask(Sample.destination(.setDestination, masqueraded)).error == 0)
        #expect(methods == [.masquerading, .masquerading])
    }

    @Test mutating func optionsOfAServiceStayWhereAnEditDoesNotSpeakOfThem() {
        var options = FullNATOptions()
        options.clientAddress = .toaFromSYN
        options.removesTimestamps = true
        let web = Sample.http.with(\.fullNAT, options)
        let configured = { [target, key] in key.flatMap { target.configured($0)?.fullNAT } }
        #expect(conversation.ask(Sample.service(.setService, web)).error == 0)
        #expect(configured() == options)
        let stock = Sample.http.with(\.scheduler, "wrr")
        #expect(conversation.ask(Sample.service(.setService, stock)).error == 0)
        #expect(configured() == options)
        let off = Sample.http.with(\.fullNAT, FullNATOptions.none)
        #expect(conversation.ask(Sample.service(.setService, off)).error == 0)
        #expect(configured() == FullNATOptions.none)
    }

    @Test(arguments: FullNATOptions.ClientAddress.allCases, [false, true])
    func optionsTravelAndComeBack(_ client: FullNATOptions.ClientAddress, _ on: Bool) throws {
        var options = FullNATOptions()
        options.clientAddress = client
        options.startsSequenceAnew = on
        options.removesTimestamps = !on
        let record = Sample.http.with(\.fullNAT, options).with(\.localCount, 3)
        var writer = NetlinkWriter()
        record.write(.everything, to: &writer)
        let nest = NetlinkAttributes(writer.bytes[...]).nest(AttributeNumber.Top.service)
        #expect(try ServiceRecord(nest, needing: .everything) == record.with(\.flagMask, .max))
    }

    @Test mutating func localAddressesAreAddedAndTakenAllOrNone() {
        #expect(conversation.ask(Self.locals(.newLocal, 10, 12)).error == 0)
        #expect(addresses == [Self.local(10), Self.local(11), Self.local(12)])
        let exists = conversation.ask(Self.locals(.newLocal, 12, 14))
        #expect(exists.error == ErrorNumber.exists.rawValue)
        #expect(exists.messages.first?.flags.contains(.explained) == true)
        let missing = conversation.ask(Self.locals(.deleteLocal, 12, 13))
        #expect(missing.error == ErrorNumber.noSuchEntry.rawValue)
        #expect(addresses == [Self.local(10), Self.local(11), Self.local(12)])
        #expect(conversation.ask(Self.locals(.deleteLocal, 11, 11)).error == 0)
        #expect(addresses == [Self.local(10), Self.local(12)])
        let absent = conversation.ask(Self.locals(.newLocal, 1, 1, of: Sample.absent))
        #expect(absent.error == ErrorNumber.noSuchService.rawValue)
    }

    @Test mutating func localAddressesAreListedWithTheirPorts() throws {
        #expect(conversation.ask(Self.locals(.newLocal, 10, 11)).error == 0)
        let answers = conversation.ask(
            Request(.getLocal, dump: true) { writer in
                Sample.http.write(.identity, to: &writer)
                writer.attribute(AttributeNumber.Top.local) { _ in }
            })
        #expect(answers.isDumpDone)
        let records = try answers.data.map {
            try LocalRecord($0.attributes.nest(AttributeNumber.Top.local))
        }
        #expect(
            records == [
                LocalRecord(address: Self.local(10), takenPorts: 7, refused: 3),
                LocalRecord(address: Self.local(11), takenPorts: 7, refused: 3),
            ])
    }

    @Test(arguments: [IPVSCommand.newLocal, .deleteLocal, .getLocal], [false, true])
    func withoutTheirAttributeThePrivateCommandsAreNotThere(
        _ command: IPVSCommand, _ dump: Bool
    ) {
        var conversation = conversation
        let request = Request(command, dump: dump) { Sample.http.write(.identity, to: &$0) }
        #expect(conversation.ask(request).errors == [ErrorNumber.notSupported.rawValue])
    }

    /// What no program of ours sends.
    private static let hostile: [Request] = [
        locals(nest: { _ in }),
        locals(nest: { $0.attribute(1, UInt16(2)) }),
        locals(nest: { $0.attribute(2, Self.local(1), .v4) }),
        locals(nest: {
            $0.attribute(1, UInt16(3))
            $0.attribute(2, Self.local(1), .v4)
        }),
        // In the wrong order, and one more than there may be.
        locals(nest: {
            $0.attribute(1, UInt16(2))
            $0.attribute(2, Self.local(2), .v4)
            $0.attribute(3, Self.local(1), .v4)
        }),
        locals(nest: {
            $0.attribute(1, UInt16(2))
            $0.attribute(2, IPAddress(v4: 0), .v4)
            $0.attribute(3, IPAddress(v4: 1024), .v4)
        }),
        locals(nest: {
            $0.attribute(1, UInt16(10))
            $0.attribute(2, Sample.vip6, .v6)
            $0.attribute(3, IPAddress(high: .max, low: .max), .v6)
        }),
        // An IPv4 address in an IPv6 one.
        locals(nest: {
            $0.attribute(1, UInt16(10))
            $0.attribute(2, Self.local(1), .v6)
        }),
        locals(nest: {
            $0.attribute(1, UInt8(2))
            $0.attribute(2, Self.local(1), .v4)
        }),
        Sample.destination(.newDestination, Sample.web2.with(\.method, 5)),
        Sample.destination(.newDestination, Sample.web2.with(\.method, 13)),
        Sample.destination(.setDestination, Sample.web1.with(\.method, 5)),
        Sample.destination(.newDestination, hidden.with(\.method, 2)),
        Sample.destination(.setDestination, Sample.web1.with(\.fullNAT, true).with(\.method, 3)),
        Request(.setService) { writer in
            writer.attribute(AttributeNumber.Top.service) { writer in
                writer.attribute(1, UInt16(2))
                writer.attribute(2, UInt16(6))
                writer.attribute(3, Sample.vip, .v4)
                writer.attribute(4, UInt16(80).bigEndian)
                writer.attribute(6, "rr")
                writer.attribute(7, UInt64(0))
                writer.attribute(8, UInt32(0))
                writer.attribute(9, UInt32.max)
                writer.attribute(200, UInt32(5))
            }
        },
    ]

    private static func locals(
        nest: @escaping @Sendable (inout NetlinkWriter) -> Void
    ) -> Request {
        Request(.newLocal) { writer in
            Sample.http.write(.identity, to: &writer)
            writer.attribute(AttributeNumber.Top.local, nest)
        }
    }

    @Test(arguments: hostile.indices)
    func whatCannotBeIsRefusedAndChangesNothing(_ index: Int) {
        var conversation = conversation
        let before = target.state
        let answers = conversation.ask(Self.hostile[index])
        #expect(answers.errors == [ErrorNumber.invalid.rawValue])
        #expect(answers.messages.first?.flags.contains(.explained) == true)
        #expect(target.state == before)
    }

    @Test mutating func onlyFULLNATBringsIPv6ClientsToIPv4Servers() {
        let translated = Self.hidden.with(\.port, 53)
        let requests = { (server: DestinationRecord) in
            Sample.destination(.newDestination, server, of: Sample.dns6)
        }
        #expect(
            conversation.ask(requests(translated.with(\.fullNAT, nil))).error
                == ErrorNumber.invalid.rawValue)
        #expect(conversation.ask(requests(translated)).error == 0)
        // A program that does not know FULLNAT may still change the weight.
        let stock = translated.with(\.fullNAT, nil).with(\.weight, 9)
        #expect(
            conversation.ask(
                Sample.destination(.setDestination, stock, of: Sample.dns6)
            ).error == 0)
        let wide = DestinationRecord(family: .v6, address: Sample.vip6, port: 80, fullNAT: true)
        #expect(
            conversation.ask(Sample.destination(.newDestination, wide)).error
                == ErrorNumber.invalid.rawValue)
    }
}

import Control
import LVS
import Testing

/// Every row of ipvs-semantics 10.2: the misuse, its error number, and its accepting twin.
struct RefusalTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var situation: String
        var refused: Request
        var error: ErrorNumber
        var accepted: Request

        init(
            _ situation: String, _ refused: Request, _ error: ErrorNumber,
            insteadOf accepted: Request
        ) {
            self.situation = situation
            self.refused = refused
            self.error = error
            self.accepted = accepted
        }

        var testDescription: String { situation }
    }

    private typealias Number = AttributeNumber

    /// A service nest of the attributes given, all of them by default.
    private static func nest(
        without left: UInt16? = nil, family: UInt16 = 2, scheduler: String = "rr"
    ) -> @Sendable (inout NetlinkWriter) -> Void {
        { writer in
            writer.attribute(Number.Top.service) { writer in
                if left != 1 { writer.attribute(1, family) }
                if left != 2 { writer.attribute(2, UInt16(6)) }
                if left != 3 { writer.attribute(3, Sample.vip, .v4) }
                if left != 4 { writer.attribute(4, UInt16(9999).bigEndian) }
                if left != 6 { writer.attribute(6, scheduler) }
                if left != 7 { writer.attribute(7, UInt64(0xffff_ffff_0000_0000)) }
                if left != 8 { writer.attribute(8, UInt32(0)) }
                if left != 9 { writer.attribute(9, UInt32.max) }
            }
        }
    }

    /// A server nest of the attributes given, all of them by default, in the service `http`.
    private static func server(
        without left: UInt16? = nil, family: UInt16 = 2
    ) -> @Sendable (inout NetlinkWriter) -> Void {
        { writer in
            Sample.http.write(.identity, to: &writer)
            writer.attribute(Number.Top.destination) { writer in
                if left != 1 { writer.attribute(1, Sample.web2.address, .v4) }
                if left != 2 { writer.attribute(2, UInt16(80).bigEndian) }
                for kind in UInt16(3)...6 where left != kind {
                    writer.attribute(kind, UInt32(0))
                }
                writer.attribute(11, family)
            }
        }
    }

    private static let newHTTPS = Sample.http.with(
        \.identity, .endpoint(transport: 6, Sample.vip, port: 443))
    private static let tunnelled = Sample.web2.with(\.method, 2)
    private static let loopback = DaemonRecord(state: 1, interface: "lo", syncID: 1)

    private static func timeouts(_ record: TimeoutsRecord) -> Request {
        Request(.setConfiguration) { record.write(to: &$0) }
    }

    static let rows: [Row] =
        [
            Row(
                "service exists already", Sample.service(.newService, Sample.http), .exists,
                insteadOf: Sample.service(.newService, newHTTPS)),
            Row(
                "real server exists already", Sample.destination(.newDestination, Sample.web1),
                .exists, insteadOf: Sample.destination(.newDestination, Sample.web2)),
            Row(
                "edit of a real server that is not there",
                Sample.destination(.setDestination, Sample.web2), .noSuchEntry,
                insteadOf: Sample.destination(.setDestination, Sample.web1)),
            Row(
                "removal of a real server that is not there",
                Sample.destination(.deleteDestination, Sample.web2), .noSuchEntry,
                insteadOf: Sample.destination(.deleteDestination, Sample.web1)),
            Row(
                "unknown scheduler",
                Sample.service(.newService, newHTTPS.with(\.scheduler, "nope")), .noSuchEntry,
                insteadOf: Sample.service(.newService, newHTTPS)),
            Row(
                "unknown scheduler in an edit",
                Sample.service(.setService, Sample.http.with(\.scheduler, "nope")), .noSuchEntry,
                insteadOf: Sample.service(.setService, Sample.http.with(\.scheduler, "wrr"))),
            Row(
                "unknown persistence engine",
                Sample.service(.newService, newHTTPS.with(\.persistenceEngine, "nope")),
                .noSuchEntry,
                insteadOf: Sample.service(.newService, newHTTPS.with(\.persistenceEngine, "sip"))),
            Row(
                "scheduler name too long",
                Request(.newService, nest(scheduler: "sixteen-letters!")),
                .invalid, insteadOf: Request(.newService, nest())),
            Row(
                "family neither of the two", Request(.newService, nest(family: 3)),
                .familyNotSupported, insteadOf: Request(.newService, nest())),
            Row(
                "family of a real server neither of the two",
                Request(.newDestination, server(family: 9)), .familyNotSupported,
                insteadOf: Request(.newDestination, server(family: 0))),
            Row(
                "no service at all", Request(.newService), .invalid,
                insteadOf: Request(.newService, nest())),
            Row(
                "no real server at all",
                Request(.newDestination) { Sample.http.write(.identity, to: &$0) }, .invalid,
                insteadOf: Request(.newDestination, server())),
            Row(
                "weight below zero",
                Sample.destination(.newDestination, Sample.web2.with(\.weight, -1)), .outOfRange,
                insteadOf: Sample.destination(
                    .newDestination, Sample.web2.with(\.weight, .max))),
            Row(
                "lower threshold above the upper",
                Sample.destination(.setDestination, Sample.web1.with(\.lowerThreshold, 1)),
                .outOfRange,
                insteadOf: Sample.destination(
                    .setDestination, Sample.web1.with(\.upperThreshold, 1))),
            Row(
                "GUE without a port",
                Sample.destination(.newDestination, tunnelled.with(\.tunnelType, 1)), .invalid,
                insteadOf: Sample.destination(
                    .newDestination, tunnelled.with(\.tunnelType, 1).with(\.tunnelPort, 6080))),
            Row(
                "mixed families by NAT",
                Sample.destination(.newDestination, Sample.web2, of: Sample.dns6), .invalid,
                insteadOf: Sample.destination(.newDestination, tunnelled, of: Sample.dns6)),
            Row(
                "IPv6 prefix length 0",
                Sample.service(.setService, Sample.dns6.with(\.netmask, 0)), .invalid,
                insteadOf: Sample.service(.setService, Sample.dns6.with(\.netmask, 1))),
            Row(
                "IPv6 prefix length 129",
                Sample.service(.setService, Sample.dns6.with(\.netmask, 129)), .invalid,
                insteadOf: Sample.service(.setService, Sample.dns6.with(\.netmask, 128))),
            Row(
                "an IPv4-mapped address as IPv6",
                Sample.service(
                    .newService,
                    Sample.dns6.with(
                        \.identity, .endpoint(transport: 6, Sample.vip, port: 1))), .invalid,
                insteadOf: Sample.service(
                    .newService,
                    Sample.dns6.with(\.identity, .endpoint(transport: 6, Sample.vip6, port: 1)))),
            Row(
                "timeout below zero", timeouts(TimeoutsRecord(tcpSeconds: -1)), .invalid,
                insteadOf: timeouts(TimeoutsRecord(tcpSeconds: 1))),
            Row(
                "timeout above INT_MAX/HZ", timeouts(TimeoutsRecord(udpSeconds: .max)), .invalid,
                insteadOf: timeouts(TimeoutsRecord(udpSeconds: Int32.max / 250))),
            Row(
                "daemon on an unknown interface",
                Sample.daemon(.newDaemon, DaemonRecord(state: 1, interface: "nowhere0")),
                .noSuchDevice, insteadOf: Sample.daemon(.newDaemon, loopback)),
            Row(
                "daemon in an unknown state",
                Sample.daemon(.newDaemon, DaemonRecord(state: 3, interface: "lo")), .invalid,
                insteadOf: Sample.daemon(.newDaemon, loopback)),
            Row(
                "daemon to a group that is none",
                Sample.daemon(
                    .newDaemon,
                    DaemonRecord(state: 1, interface: "lo", group: .v4(Sample.vip))), .invalid,
                insteadOf: Sample.daemon(
                    .newDaemon,
                    DaemonRecord(
                        state: 1, interface: "lo", group: .v4(IPAddress(v4: 0xe000_0001))))),
            Row(
                "daemon without an interface",
                Request(.newDaemon) { writer in
                    writer.attribute(Number.Top.daemon) { $0.attribute(1, UInt32(1)) }
                }, .invalid, insteadOf: Sample.daemon(.newDaemon, loopback)),
            Row(
                "stop of a daemon that does not run", Sample.daemon(.deleteDaemon, loopback),
                .noSuchService, insteadOf: Sample.daemon(.newDaemon, loopback)),
            Row(
                "unknown command", Request(NetlinkType.ipvs, 18), .notSupported,
                insteadOf: Request(.flush)),
            Row(
                "SET_INFO", Request(.setInformation), .notSupported,
                insteadOf: Request(.getInformation)),
            Row(
                "GET_DEST that is no dump", Request(.getDestination), .notSupported,
                insteadOf: Request(.getConfiguration)),
            Row(
                "dump of what is no list", Request(.getInformation, dump: true), .notSupported,
                insteadOf: Request(.getInformation)),
            Row(
                "unknown family", Request(0x40, 1), .noSuchEntry, insteadOf: Request(.flush)),
            Row(
                "unknown setting", setting("nope", "1"), .invalid,
                insteadOf: setting("drop_packet", "3")),
            Row(
                "value out of a setting's range", setting("drop_packet", "4"), .invalid,
                insteadOf: setting("drop_packet", "0")),
            Row(
                "writing to a text that can only be read",
                Request(NetlinkType.extra, 2) { writer in
                    writer.attribute(Number.Extra.name, "status")
                    writer.attribute(Number.Extra.key, "a")
                    writer.attribute(Number.Extra.value, "b")
                }, .notSupported, insteadOf: setting("drop_packet", "3")),
            Row(
                "unknown text",
                Request(NetlinkType.extra, 1, dump: false) {
                    $0.attribute(Number.Extra.name, "nope")
                }, .noSuchEntry, insteadOf: setting("drop_packet", "3")),
        ] + missing + notFound

    private static func setting(_ name: String, _ value: String) -> Request {
        Request(NetlinkType.extra, 2) { writer in
            writer.attribute(Number.Extra.name, "settings")
            writer.attribute(Number.Extra.key, name)
            writer.attribute(Number.Extra.value, value)
        }
    }

    /// Each mandatory attribute left out.
    private static let missing: [Row] =
        ([1, 2, 3, 4, 6, 7, 8, 9] as [UInt16]).map { (kind: UInt16) in
            Row(
                "service without attribute \(kind)", Request(.newService, nest(without: kind)),
                .invalid, insteadOf: Request(.newService, nest()))
        }
        + (UInt16(1)...6).map { (kind: UInt16) in
            Row(
                "real server without attribute \(kind)",
                Request(.newDestination, server(without: kind)), .invalid,
                insteadOf: Request(.newDestination, server()))
        }
        + [0, UInt32.max, 0xe000_0001].map { value in
            Row(
                "real server at an address that is no host's, \(value)",
                Sample.destination(
                    .newDestination, Sample.web2.with(\.address, IPAddress(v4: value))), .invalid,
                insteadOf: Sample.destination(.newDestination, Sample.web2))
        }

    /// Each command that needs a service, with one that is not there.
    private static let notFound: [Row] =
        [IPVSCommand.setService, .deleteService, .getService, .zero].map { command in
            Row(
                "\(command) of an absent service", Sample.service(command, Sample.absent),
                .noSuchService, insteadOf: Sample.service(command, Sample.http))
        }
        + [IPVSCommand.newDestination, .setDestination, .deleteDestination].map { command in
            let server = command == .newDestination ? Sample.web2 : Sample.web1
            return Row(
                "\(command) of an absent service",
                Sample.destination(command, server, of: Sample.absent), .noSuchService,
                insteadOf: Sample.destination(command, server))
        }

    @Test(arguments: rows)
    func aMisuseIsRefusedAndChangesNothingAndItsTwinIsAccepted(row: Row) {
        let target = Sample.target()
        let before = target.state
        var conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: true)
        let refused = conversation.ask(row.refused)
        #expect(refused.errors == [row.error.rawValue])
        #expect(target.state == before)
        let accepted = conversation.ask(row.accepted)
        #expect(accepted.errors == [0])
    }

    @Test(arguments: rows)
    func aClientWithoutPrivilegeIsRefusedWhateverItAsks(row: Row) {
        let target = Sample.target()
        let before = target.state
        var conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: false)
        #expect(conversation.ask(row.accepted).errors == [ErrorNumber.notPermitted.rawValue])
        #expect(target.state == before)
    }

    @Test func aSecondDaemonOfARoleIsRefusedAndOneOfTheOtherRoleIsNot() {
        let target = Sample.target()
        var conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: true)
        let backup = DaemonRecord(state: 2, interface: "lo", syncID: 1)
        #expect(conversation.ask(Sample.daemon(.newDaemon, Self.loopback)).error == 0)
        #expect(conversation.ask(Sample.daemon(.newDaemon, Self.loopback)).error == 17)
        #expect(conversation.ask(Sample.daemon(.newDaemon, backup)).error == 0)
        #expect(conversation.ask(Sample.daemon(.deleteDaemon, Self.loopback)).error == 0)
        #expect(conversation.ask(Sample.daemon(.deleteDaemon, Self.loopback)).error == 3)
    }

    @Test func mixedFamiliesAreRefusedWhileADaemonRuns() {
        let target = Sample.target()
        var conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: true)
        let mixed = Sample.destination(.newDestination, Self.tunnelled, of: Sample.dns6)
        #expect(conversation.ask(Sample.daemon(.newDaemon, Self.loopback)).error == 0)
        #expect(conversation.ask(mixed).error == 22)
        #expect(conversation.ask(Sample.daemon(.deleteDaemon, Self.loopback)).error == 0)
        #expect(conversation.ask(mixed).error == 0)
    }
}

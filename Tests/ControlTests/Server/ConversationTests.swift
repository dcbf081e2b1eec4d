import Control
import LVS
import Testing

/// How requests are answered: replies, dumps, acknowledgements, several in a packet.
struct ConversationTests {
    private let target = Sample.target()
    private var conversation: Conversation

    init() {
        conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: true)
    }

    private func services(_ answers: Answers) throws -> [ServiceRecord] {
        try answers.data.map {
            try ServiceRecord(
                $0.attributes.nest(AttributeNumber.Top.service), needing: .everything)
        }
    }

    @Test mutating func theFamilyIsToldByNameWithTheSameNumberForEveryClient() throws {
        let answers = conversation.ask(
            Request(NetlinkType.controller, 3) { $0.attribute(2, "IPVS") })
        let family = try #require(answers.data.first)
        #expect(family.command == 1)
        #expect(try family.attributes.number(1, as: UInt16.self) == NetlinkType.ipvs)
        #expect(try family.attributes.text(2, longest: 15) == "IPVS")
        #expect(answers.errors == [0])
        let other = conversation.ask(
            Request(NetlinkType.controller, 3) { $0.attribute(2, "TCP_METRICS") })
        #expect(other.errors == [ErrorNumber.noSuchEntry.rawValue])
    }

    @Test mutating func anAnswerRepeatsSequenceAndPort() {
        let answers = conversation.ask(Request(.getInformation))
        #expect(answers.messages.map(\.sequence) == [77, 77])
        #expect(answers.messages.map(\.port) == [4711, 4711])
    }

    @Test mutating func informationIsVersionAndTableSize() throws {
        let answer = try #require(conversation.ask(Request(.getInformation)).data.first)
        #expect(answer.command == IPVSCommand.setInformation.rawValue)
        #expect(try answer.attributes.number(1, as: UInt32.self) == 0x010201)
        #expect(try answer.attributes.number(2, as: UInt32.self) == 4096)
    }

    @Test mutating func aRequestWithoutTheAckFlagIsNotAcknowledgedButRefusedAllTheSame() {
        var request = Sample.service(.newService, Sample.absent)
        request.flags = .request
        #expect(conversation.ask(request).messages.isEmpty)
        #expect(conversation.ask(request).errors == [ErrorNumber.exists.rawValue])
    }

    @Test mutating func aDumpIsMultiEndsInDoneAndIsNotAcknowledged() throws {
        let answers = conversation.ask(Request(.getService, dump: true))
        #expect(answers.isDumpDone)
        #expect(answers.errors.isEmpty)
        #expect(answers.messages.allSatisfy { $0.flags.contains(.multi) })
        let listed = try services(answers)
        #expect(listed.map(\.key) == [Sample.http.key, Sample.dns6.key])
        #expect(listed.allSatisfy { $0.flags.contains(.hashed) && $0.flagMask == .max })
    }

    @Test mutating func serversOfAnUnknownServiceAreAnEmptyDump() {
        let unknown = Request(.getDestination, dump: true) {
            Sample.absent.write(.identity, to: &$0)
        }
        #expect(conversation.ask(unknown).messages.map(\.type) == [NetlinkType.done])
        #expect(conversation.ask(Request(.getDestination, dump: true)).isDumpDone)
        let known = Request(.getDestination, dump: true) {
            Sample.http.write(.identity, to: &$0)
        }
        #expect(conversation.ask(known).data.count == 1)
    }

    @Test mutating func packetsOfALargeDumpStayBelow32KiB() throws {
        for number in UInt16(1)...3000 {
            let service = Sample.http.with(
                \.identity, .endpoint(transport: 6, Sample.vip, port: 1000 + number))
            try target.add(
                VirtualService(key: #require(service.key), scheduler: "rr"))
        }
        let answers = conversation.ask(Request(.getService, dump: true))
        #expect(answers.data.count == 3002)
        #expect(answers.packets.allSatisfy { $0.count < 32 << 10 })
        #expect(answers.packets.count > 100)
    }

    @Test mutating func severalMessagesInOnePacketAreServedInOrder() {
        let packet =
            Sample.service(.newService, Sample.absent).bytes
            + Sample.service(.newService, Sample.absent).bytes
            + Request(.getService, dump: true).bytes
            + Sample.service(.deleteService, Sample.absent).bytes
        let answers = conversation.ask(packet)
        #expect(answers.errors == [0, ErrorNumber.exists.rawValue, 0])
        #expect(answers.data.count == 3)
    }

    @Test mutating func aRefusalRepeatsTheRequestAndExplainsItself() throws {
        let request = Sample.service(.newService, Sample.http.with(\.scheduler, "nope"))
        var mark = request
        mark.body = { writer in
            ServiceRecord(family: .v4, identity: .mark(5), scheduler: "nope")
                .write(.configuration, to: &writer)
        }
        let answer = try #require(conversation.ask(mark).messages.first)
        #expect(answer.body.dropFirst(4).starts(with: mark.bytes))
        let explanation = NetlinkAttributes(answer.body.dropFirst(4 + mark.bytes.count))
        #expect(try explanation.text(1, longest: 100) == "'nope' is not known")
    }

    @Test mutating func editingAServiceKeepsTheFlagsItDoesNotSpeakAbout() throws {
        let flags = ServiceFlags([.schedulerFlag1, .schedulerFlag2])
        let first = Sample.http.with(\.flags, flags)
        #expect(conversation.ask(Sample.service(.setService, first)).error == 0)
        let second = Sample.http.with(\.flags, .schedulerFlag3).with(\.flagMask, 0x30)
        #expect(conversation.ask(Sample.service(.setService, second)).error == 0)
        let kept = try #require(Sample.http.key.flatMap { target.service($0) })
        #expect(kept.flags == [.hashed, .schedulerFlag1, .schedulerFlag3])
    }

    @Test mutating func aMarkOfZeroIsNoMark() throws {
        let request = Request(.newService) { writer in
            ServiceRecord(family: .v4, identity: .mark(0), scheduler: "rr")
                .write(.configuration, to: &writer)
        }
        #expect(conversation.ask(request).error == 0)
        #expect(target.services().first?.key == .address(.tcp, .anyV4, port: 0))
    }

    @Test mutating func timeoutsOfZeroKeepTheirValues() {
        let request = Request(.setConfiguration) {
            TimeoutsRecord(tcpSeconds: 10).write(to: &$0)
        }
        #expect(conversation.ask(request).error == 0)
        #expect(target.timeouts.tcpSeconds == 10)
        #expect(target.timeouts.tcpFinSeconds == 120)
    }

    @Test mutating func daemonsAreListedWithTheirDefaultsMasterFirst() throws {
        for state in [UInt32(2), 1] {
            let request = Sample.daemon(
                .newDaemon, DaemonRecord(state: state, interface: "lo", syncID: 9))
            #expect(conversation.ask(request).error == 0)
        }
        let listed = try conversation.ask(Request(.getDaemon, dump: true)).data.map {
            try DaemonRecord(
                $0.attributes.nest(AttributeNumber.Top.daemon), starting: true)
        }
        let group = DaemonRecord.Group.v4(IPAddress(v4: 0xe000_0051))
        let master = DaemonRecord(
            state: 1, interface: "lo", syncID: 9, maximumBytes: 1472, group: group, port: 8848,
            timeToLive: 1)
        #expect(listed.first == master)
        // The loopback's MTU is 65,536, of which the backup takes all that a datagram holds.
        #expect(listed.last?.maximumBytes == 65507)
    }

    @Test mutating func zeroingTakesOneServiceOrAll() {
        for index in target.state.entries.indices {
            target.state.entries[index].statistics.connections = 5
        }
        #expect(conversation.ask(Sample.service(.zero, Sample.http)).error == 0)
        #expect(target.services().map(\.statistics.connections) == [0, 5])
        #expect(conversation.ask(Request(.zero)).error == 0)
        #expect(target.services().map(\.statistics.connections) == [0, 0])
    }
}

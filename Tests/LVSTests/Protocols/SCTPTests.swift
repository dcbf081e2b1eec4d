import LVS
import TestKit
import Testing

@Suite struct SCTPTests {
    /// ipvs-semantics 4.6, row by row: from, then the ten events in the order of `SCTPEvent`.
    static let rows: [(StateColumn, String)] = [
        (
            .inbound,
            """
            NO ES I1 CW CR ES SR CL CL CL CL
            I1 I1 IN CW IN I1 I1 IN CL I1 CL
            IN IN IN CW IN IN IN IN CL IN CL
            CS CS CS CS CR CS CS CS CS CS CL
            CR CR CR CR CR CR CR CR CR CR CL
            CW CW CW CO CW CW CW CW CW CW RJ
            CO CO CO CO CO CO CO CO CO CO CL
            CE CE CE CE CE ES CE CE CE CL CL
            ES ES ES ES ES ES SR ES ES ES CL
            SS SS SS SS SS SS SS CL SS SS CL
            SR SR SR SR SR SR SR SR SR SR CL
            SA SA SA SA SA SA SA CL CL SA CL
            RJ RJ IN RJ RJ RJ RJ RJ RJ RJ CL
            CL CL IN CL CL CL CL CL CL CL CL
            """
        ),
        (
            .outbound,
            """
            NO ES CW CS CE ES SS SA CL CL CL
            I1 I1 CW CS CE ES SS SA I1 CL RJ
            IN IN CW CS CE ES SS SA IN CL CL
            CS CS CW CS CE ES SS SA CS CL CL
            CR CR CW CR CE ES SS SA CR CL CL
            CW CW CW CW CE ES SS CW CW CW CL
            CO CO CW CO CE ES SS CO CO CO CL
            CE CE CW CE CE ES SS CE CE CE CL
            ES ES ES ES ES ES SS ES ES ES CL
            SS SS CW SS SS SS SS SA SS SS CL
            SR SR CW SR SR SR SR SA SR SR CL
            SA SA CW SA SA SA SA SA SA SA CL
            RJ RJ CW RJ RJ RJ RJ RJ RJ RJ CL
            CL CL CW CL CL CL CL CL CL CL CL
            """
        ),
        (
            .inputOnly,
            """
            NO ES I1 CE ES ES SR CL CL CL CL
            I1 I1 IN CE ES I1 I1 IN CL I1 CL
            IN IN IN CE ES IN IN IN CL IN CL
            CS CS IN CE ES ES CS CS CL CS CL
            CR CR IN CE ES ES CR CR CL CR CL
            CW ES IN CE ES CW CW CW CW CW RJ
            CO CO CO CO CO ES CO CO CO CO CL
            CE CE CE CE CE ES CE CE CE CE CL
            ES ES ES ES ES ES SR CL ES ES CL
            SS SS SS SS SS SS SS CL SS SS CL
            SR SR SR SR SR SR SR SR CL SR CL
            SA SA SA SA SA SA SA CL CL SA CL
            RJ RJ IN RJ RJ RJ RJ RJ RJ RJ CL
            CL CL IN CL CL CL CL CL CL CL CL
            """
        ),
    ]

    static let names: [String: SCTPState] = [
        "NO": .none, "I1": .firstInit, "IN": .initiated, "CS": .cookieSent,
        "CR": .cookieReplied, "CW": .cookieWait, "CO": .cookie, "CE": .cookieEchoed,
        "ES": .established, "SS": .shutdownSent, "SR": .shutdownReceived,
        "SA": .shutdownAckSent, "RJ": .rejected, "CL": .closed,
    ]

    @Test(arguments: StateColumn.allCases)
    func `Every cell of the state table is as recorded from the kernel`(
        column: StateColumn
    ) throws {
        let machine = StateMachine()
        defer { machine.deallocate() }
        var cells = 0
        let block = try #require(SCTPTests.rows.first { $0.0 == column }).1
        for row in block.split(separator: "\n") {
            let words = row.split(separator: " ").map(String.init)
            let from = try #require(SCTPTests.names[words[0]])
            for (position, word) in words.dropFirst().enumerated() {
                let event = try #require(SCTPEvent(rawValue: UInt8(position)))
                let to = machine.sctp(from: from, event, column)
                #expect(to == SCTPTests.names[word], "\(column) \(from) \(event)")
                cells += 1
            }
        }
        #expect(cells == 140)
    }

    @Test(arguments: [
        (UInt8(0), SCTPEvent.data), (1, .initiate), (2, .initiateAck), (3, .data), (4, .data),
        (5, .data), (6, .abort), (7, .shutdown), (8, .shutdownAck), (9, .error),
        (10, .cookieEcho), (11, .cookieAck), (12, .data), (13, .data), (14, .shutdownComplete),
        (15, .data), (192, .data), (255, .data),
    ])
    func `Chunks without an event of their own count as data`(type: UInt8, event: SCTPEvent) {
        #expect(SCTPEvent(chunk: type) == event)
    }

    @Test(arguments: SCTPState.allCases)
    func `Timeouts are the kernel's and no operator's`(state: SCTPState) {
        let machine = StateMachine()
        defer { machine.deallocate() }
        machine.setTimeouts(Timeouts(tcp: 5, tcpFin: 6, udp: 7))
        let expected: UInt32 =
            switch state {
            case .none: 2
            case .firstInit, .rejected: 4
            case .established: 900
            default: 61
            }
        #expect(machine.sctpTimeoutSeconds(state.rawValue) == expected)
        #expect(state.isActive == (state == .established))
    }
}

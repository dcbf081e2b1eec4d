import LVS
import Testing

@Suite struct TCPTests {
    /// ipvs-semantics 4.5, row by row: from, then inbound S F A R, outbound S F A R, input only
    /// S F A R.
    static let rows = """
        NO SR CL ES CL SS TW ES CL SR CL ES CL
        ES ES CW ES CL ES FW ES CL ES FW ES CL
        SS ES SS SS CL SS SS SS SS ES SS SS CL
        SR SR TW ES SR SR TW ES CL SR TW ES SR
        FW SR TW FW CL SS FW FW CL SR FW FW CL
        TW SR TW TW CL SS TW TW TW SR TW TW CL
        CL SR CL CL CL SS CL CL CL SR CL CL CL
        CW SR CW CW CL SS TW CW CL SR CW CW CL
        LA SR LA CL LA SS LA LA CL SR LA CL LA
        LI SR LI LI LI LI LI ES CL SR LI LI LI
        SA SR TW ES SR SR TW ES CL SR TW ES CL
        """

    static let names: [String: TCPState] = [
        "NO": .none, "ES": .established, "SS": .synSent, "SR": .synReceived, "FW": .finWait,
        "TW": .timeWait, "CL": .close, "CW": .closeWait, "LA": .lastAck, "LI": .listen,
        "SA": .synAck,
    ]

    @Test func `Every cell of the state table is as recorded from the kernel`() throws {
        let machine = StateMachine()
        defer { machine.deallocate() }
        var cells = 0
        for row in TCPTests.rows.split(separator: "\n") {
            let words = row.split(separator: " ").map(String.init)
            let from = try #require(TCPTests.names[words[0]])
            for (position, word) in words.dropFirst().enumerated() {
                let column = try #require(StateColumn(rawValue: UInt8(position / 4)))
                let event = try #require(TCPEvent(rawValue: UInt8(position % 4)))
                #expect(machine.tcp(from: from, event, column) == TCPTests.names[word])
                cells += 1
            }
        }
        #expect(cells == 132)
    }

    @Test(arguments: [
        (StateColumn.inbound, TCPEvent.syn, TCPState.synAck, TCPState.synAck),
        (.inbound, .fin, .synAck, .synAck),
        (.inbound, .ack, .synReceived, .synReceived),
        (.inbound, .ack, .synAck, .synAck),
        (.inbound, .reset, .synAck, .close),
        (.outbound, .syn, .synReceived, .synAck),
        (.inputOnly, .syn, .timeWait, .synAck),
        (.inputOnly, .syn, .synReceived, .synReceived),
    ])
    func `secure_tcp changes its own cells`(
        column: StateColumn, event: TCPEvent, from: TCPState, to: TCPState
    ) {
        let machine = StateMachine()
        defer { machine.deallocate() }
        #expect(machine.tcp(from: from, event, column, secure: true) == to)
    }

    @Test func `A segment without any of the four flags closes`() {
        let machine = StateMachine()
        defer { machine.deallocate() }
        for state in TCPState.allCases {
            for column in StateColumn.allCases {
                #expect(machine.tcp(from: state, .nothing, column) == .close)
            }
        }
        #expect(TCPEvent(flags: 8) == .nothing)
    }

    @Test(arguments: [
        (UInt8(0x3f), TCPEvent.reset), (0x13, .syn), (0x12, .syn), (0x11, .fin), (0x18, .ack),
        (0, .nothing),
    ])
    func `The first of RST, SYN, FIN and ACK decides`(flags: UInt8, event: TCPEvent) {
        #expect(TCPEvent(flags: flags) == event)
    }

    @Test func `Only ESTABLISHED and FIN_WAIT follow the operator's timeouts`() {
        let machine = StateMachine()
        defer { machine.deallocate() }
        machine.setTimeouts(Timeouts(tcp: 5, tcpFin: 6, udp: 7))
        for state in TCPState.allCases {
            let expected: UInt32 =
                switch state {
                case .established: 5
                case .finWait: 6
                default: state.timeoutSeconds
                }
            #expect(machine.tcpTimeoutSeconds(state.rawValue) == expected)
        }
        #expect(machine.udpTimeoutSeconds == 7)
    }
}

/// The three connection timeouts of SET_CONFIG and GET_CONFIG, in seconds.
package struct TimeoutsRecord: Hashable, Sendable {
    /// In a request 0 keeps the present value; negative ones are refused by the director.
    package var tcpSeconds: Int32
    package var tcpFinSeconds: Int32
    package var udpSeconds: Int32

    package init(tcpSeconds: Int32 = 0, tcpFinSeconds: Int32 = 0, udpSeconds: Int32 = 0) {
        self.tcpSeconds = tcpSeconds
        self.tcpFinSeconds = tcpFinSeconds
        self.udpSeconds = udpSeconds
    }

    private typealias Number = AttributeNumber.Top

    /// Reads the timeouts from the top of a message; what is absent is 0.
    package init(_ attributes: NetlinkAttributes) throws(Refusal) {
        tcpSeconds = try attributes.number(Number.timeoutTCP) ?? 0
        tcpFinSeconds = try attributes.number(Number.timeoutTCPFin) ?? 0
        udpSeconds = try attributes.number(Number.timeoutUDP) ?? 0
    }

    package func write(to writer: inout NetlinkWriter) {
        writer.attribute(Number.timeoutTCP, tcpSeconds)
        writer.attribute(Number.timeoutTCPFin, tcpFinSeconds)
        writer.attribute(Number.timeoutUDP, udpSeconds)
    }
}

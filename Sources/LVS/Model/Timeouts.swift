/// The three timeouts of `ipvsadm --set`, seconds (ipvs-semantics 4.5).
package struct Timeouts: Hashable, Sendable {
    /// TCP connections in ESTABLISHED.
    package var tcp: UInt32
    /// TCP connections in FIN_WAIT.
    package var tcpFin: UInt32
    package var udp: UInt32

    /// Longest timeout accepted: the kernel's limit at a timer of 100 ticks a second.
    package static let longest: UInt32 = UInt32(Int32.max / 100)

    package init(tcp: UInt32 = 900, tcpFin: UInt32 = 120, udp: UInt32 = 300) {
        self.tcp = tcp
        self.tcpFin = tcpFin
        self.udp = udp
    }
}

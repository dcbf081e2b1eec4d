/// One thing that happened to a packet on its way through the pipeline, told by whoever did it.
///
/// Plain data: what people read is made of it elsewhere. Ports are host order, times seconds.
package enum Step: Sendable {
    /// The packet as it came in.
    case arrived(Arrival)
    /// A marking rule applied; `rule` counts from 0 in the order in which rules apply.
    case markingRule(rule: Int, from: UInt32, to: UInt32)
    /// The firewall mark that services are looked up by, and the one that the frame came in with.
    case mark(UInt32, carried: UInt32)
    /// The connection table was asked.
    case lookedUp(LookUp)
    /// The services were asked; what comes first decides.
    case askedService(ServiceQuestion, isFound: Bool)
    /// Why the packet opens no connection.
    case notScheduled(Obstacle)
    /// An opener met a connection that it does not continue.
    case reused(ConnectionListing, Reuse)
    /// The persistence template of the client was asked for.
    case template(TemplateLookUp)
    /// A scheduler was asked for a server.
    case scheduled(Scheduling)
    /// A server with FULLNAT gets the client by this local endpoint; nil when none was left.
    case localEndpoint(LocalEndpoint?)
    /// The connection that the packet goes on.
    case connected(ConnectionListing, Making)
    /// The packet was counted on its connection.
    case advanced(Advance)
    /// Where the packet goes next.
    case way(Way)
    /// What became of a fragment.
    case fragment(FragmentFate)
    /// A helper read the payload and expects this connection.
    case expected(ConnectionListing)
    /// A helper put another text into the payload, which is longer by so many bytes.
    case replacedText(gainedBytes: Int)
    /// The sender is told of an error, unless the limit on errors takes it.
    case told(ICMPError, isMade: Bool)

    /// How a connection came to be the packet's.
    package enum Making: String, Sendable {
        case made
        /// Somebody was first: another worker, or an earlier packet of the burst.
        case existing
        /// For this packet alone (one-packet scheduling).
        case once
        /// Past all servers to the packet's own destination (`cache_bypass`).
        case bypass
    }

    /// Why a packet opens no connection.
    package enum Obstacle: String, Sendable {
        case noServiceOfFamily
        /// The director is a backup (`backup_only`), requests are the host's.
        case backup
        /// Not TCP, UDP or SCTP with its ports.
        case notFlow
        /// Not a SYN, or not an INIT.
        case noOpener
        case noService
        /// The data connection of an FTP server elsewhere is never scheduled.
        case sourcePort20
        /// `drop_packet` took it.
        case defence
        /// A service of port 21 was reached by another port, which takes persistence.
        case needsPersistence
        /// The persistence engine finds nothing in it to go by.
        case unreadable
        /// What the ICMP error quotes is cut short, or of no protocol with ports.
        case notQuoted
        /// Real servers may not open this one.
        case errorOfReply
    }

    /// What became of a connection whose client begins anew.
    package enum Reuse: String, Sendable {
        /// It ends, and the opener is scheduled (`conn_reuse_mode`).
        case scheduledAnew
        /// It ends; a helper's client has to open once more.
        case openedAgain
        /// Its server was removed; `expire_nodest_conn` ends it.
        case expired
        /// Its server was removed, and it stays.
        case serverGone
    }

    /// What became of a fragment.
    package enum FragmentFate: Hashable, Sendable {
        case waiting
        /// It was the last one: the datagram goes on from here, with this length in bytes.
        case complete(length: Int)
        /// None of ours: the host puts it together.
        case hosts
        case odd
        case refused(DropReason)
    }
}

/// Addresses and ports of a packet, in its direction.
package struct Flow: Hashable, Sendable {
    package var transport: TransportProtocol
    package var source: IPAddress
    package var sourcePort: UInt16
    package var destination: IPAddress
    package var destinationPort: UInt16

    init(_ packet: Packet) {
        transport = packet.transport
        source = packet.source
        sourcePort = packet.sourcePort
        destination = packet.destination
        destinationPort = packet.destinationPort
    }

    init(_ tuple: ConnectionTuple) {
        transport = TransportProtocol(rawValue: tuple.transport)
        source = tuple.source
        sourcePort = UInt16(truncatingIfNeeded: tuple.ports).byteSwapped
        destination = tuple.destination
        destinationPort = UInt16(truncatingIfNeeded: tuple.ports >> 16).byteSwapped
    }
}

/// A packet as the parser saw it.
package struct Arrival: Sendable {
    package var flow: Flow
    package var kind: Packet.Kind
    /// Flag byte of a TCP header.
    package var tcpFlags: UInt8
    /// Type of the first SCTP chunk.
    package var sctpChunk: UInt8?
    package var icmpType: UInt8
    package var icmpCode: UInt8
    /// TTL or hop limit.
    package var timeToLive: UInt8
    /// Bytes from the IP header on.
    package var ipLength: UInt32
    package var isLaterFragment: Bool
    package var family: AddressFamily
    package var ingress: PortIndex
    /// Bytes of a segment of a super-frame, 0 for a plain frame.
    package var segmentSize: UInt16

    init(_ packet: Packet, _ frame: Frame) {
        flow = Flow(packet)
        kind = packet.kind
        tcpFlags = packet.tcpFlags
        sctpChunk = packet.sctpChunk(at: 0)?.type
        icmpType = packet.icmpType
        icmpCode = packet.icmpCode
        timeToLive = packet.timeToLive
        ipLength = packet.ipLength
        isLaterFragment = packet.isLaterFragment
        family = packet.family
        ingress = frame.ingress
        segmentSize = frame.segmentSize
    }
}

/// A question to the connection table and its answer.
package struct LookUp: Sendable {
    /// Whose tuple was looked up.
    package enum Subject: String, Sendable {
        case packet
        /// The packet that an ICMP error quotes, the way it would be answered.
        case quoted
        /// The packet in one of the director's tunnels that an ICMP error quotes.
        case tunnelled
        /// The packet, for a connection whose client's port is not known yet.
        case unknownPort
    }

    package var subject: Subject
    package var flow: Flow
    /// As the connection was before the packet; nil for a miss.
    package var found: ConnectionListing?
    package var direction = Direction.inbound
    /// The wait of the connection is over: it counts as gone.
    package var isOverdue = false
}

/// What services were asked for.
package enum ServiceQuestion: Hashable, Sendable {
    case mark(UInt32, AddressFamily)
    case endpoint(TransportProtocol, IPAddress, port: UInt16)
    /// FTP's service takes the data connections that come to other ports.
    case ftp(IPAddress)
    /// A service of every port.
    case everyPort(TransportProtocol, IPAddress)
}

/// The persistence template that was asked for, and what was found.
package struct TemplateLookUp: Sendable {
    /// What became of the search.
    package enum Outcome: String, Sendable {
        /// There is none: the scheduler is asked, and one is made.
        case none
        case followed
        /// Its server was removed.
        case serverGone
        /// Its server has weight 0 (`expire_quiescent_template`).
        case quiescent
        /// It is about to be ended.
        case ending
        /// It was made just now, for the server that the scheduler chose.
        case made
    }

    /// The client's network.
    package var client: IPAddress
    /// The virtual address; for services by mark the mark stands in its place.
    package var virtual: IPAddress
    /// 0 for a template of every port.
    package var virtualPort: UInt16
    package var timeoutSeconds: UInt32
    package var outcome: Outcome
    package var found: ConnectionListing?
}

/// How a packet moved the state of its connection.
package struct Advance: Sendable {
    package var direction: Direction
    /// Names as listings print them.
    package var before: String
    package var after: String
    package var timeoutBefore: UInt32
    /// What the wait for the next packet begins with.
    package var timeoutAfter: UInt32
    package var wasInactive: Bool
    package var isInactive: Bool
}

/// A next hop as a packet met it.
package struct Way: Sendable {
    package var kind: NextHopWord.Kind
    /// True on the way to a real server, false on the way to a client.
    package var isToServer: Bool
    /// Where the packet goes in the end.
    package var destination: IPAddress
    /// The neighbour: a gateway, or the destination itself.
    package var neighbour: IPAddress
    package var port: PortIndex
    /// nil while nobody has answered for the neighbour.
    package var hardware: HardwareAddress?
    /// Longest IP packet, bytes.
    package var mtu: UInt32

    init(_ hop: NextHop, to destination: IPAddress, isToServer: Bool) {
        let word = hop.word
        kind = word.kind
        self.isToServer = isToServer
        self.destination = destination
        let isForwarded = kind == .resolved || kind == .unresolved
        neighbour = isForwarded ? hop.address : destination
        port = hop.port
        hardware = word.isResolved ? word.hardware : nil
        mtu = hop.mtu
    }
}

/// Why a frame ended early: one list for counters, metrics, `status` and `explain`.
///
/// Adding a reason is adding a case and its two texts; the list tests itself.
package enum DropReason: UInt8, CaseIterable, Sendable {
    case malformedHeader
    case headerTooShort
    case noServer
    case serverGone
    case ttlExceeded
    case tooLongForRoute
    case noRoute
    case noNeighbour
    case neighbourQueueFull
    case notForUs
    case tableFull
    case madeFramesUsedUp
    case fragment
    case noHeadroom
    case loopbackServer
    case doorClosed
    case defence
    case unknownReply
    case wrongChecksum
    case sourceRoute
    case fragmentOverlap
    case fragmentDuplicate
    case fragmentTimeout
    case fragmentsFull
    case noCallID
    case openedAgain
    case segmentsUnknown
    case noLocalPort
    case untranslatable

    /// The name in metrics and listings.
    package var name: String {
        switch self {
        case .malformedHeader: "malformed-header"
        case .headerTooShort: "header-too-short"
        case .noServer: "no-server"
        case .serverGone: "server-gone"
        case .ttlExceeded: "ttl-exceeded"
        case .tooLongForRoute: "too-long-for-route"
        case .noRoute: "no-route"
        case .noNeighbour: "no-neighbour"
        case .neighbourQueueFull: "neighbour-queue-full"
        case .notForUs: "not-for-us"
        case .tableFull: "table-full"
        case .madeFramesUsedUp: "made-frames-used-up"
        case .fragment: "fragment"
        case .noHeadroom: "no-headroom"
        case .loopbackServer: "loopback-server"
        case .doorClosed: "door-closed"
        case .defence: "defence"
        case .unknownReply: "unknown-reply"
        case .wrongChecksum: "wrong-checksum"
        case .sourceRoute: "source-route"
        case .fragmentOverlap: "fragment-overlap"
        case .fragmentDuplicate: "fragment-duplicate"
        case .fragmentTimeout: "fragment-timeout"
        case .fragmentsFull: "fragments-full"
        case .noCallID: "no-call-id"
        case .openedAgain: "opened-again"
        case .segmentsUnknown: "segments-unknown"
        case .noLocalPort: "no-local-port"
        case .untranslatable: "untranslatable"
        }
    }

    /// What happened and what to do about it, one line for `directorctl status`.
    package var cure: String {
        switch self {
        case .malformedHeader:
            "an IP header that contradicts itself; look at the sender"
        case .headerTooShort:
            "a TCP or UDP header was cut short; look at the sender and at MTU on the way"
        case .noServer:
            "no real server could take a connection; add servers or raise weights and thresholds"
        case .serverGone:
            "the connection's server was removed; expire_nodest_conn=1 lets such clients move"
        case .ttlExceeded:
            "TTL ran out here; look for a routing loop"
        case .tooLongForRoute:
            "longer than the MTU towards the server with DF set; the client was told by ICMP"
        case .noRoute:
            "no route to the next hop, or by an interface that is not served; see ip route"
        case .noNeighbour:
            "the next hop does not answer ARP; see ip neigh and whether the server is up"
        case .neighbourQueueFull:
            "too many frames waited for one next hop; it does not answer fast enough"
        case .notForUs:
            "addressed to another machine's MAC address"
        case .tableFull:
            "the connection table is full; set drop_entry=1, or start with more --connections"
        case .madeFramesUsedUp:
            "more ICMP errors or fragments in one burst than there is memory for"
        case .fragment:
            "a fragment that contradicts the others of its datagram; look at the sender"
        case .noHeadroom:
            "the driver left no room before the frame for a tunnel header"
        case .loopbackServer:
            "a remote client cannot be sent to a real server in 127.0.0.0/8 by NAT"
        case .doorClosed:
            "the host door (TUN device) is not open; see the director's log"
        case .defence:
            "drop_packet is on and took a new connection; set it to 0 to take all"
        case .unknownReply:
            "a reply of a real server without a connection; nat_icmp_send=1 refuses such"
        case .wrongChecksum:
            "an ICMP error, or FTP that has to be read, came damaged; look at the sender and the way"
        case .sourceRoute:
            "a packet asks for a route of its own choice, which is never granted here"
        case .fragmentOverlap:
            "fragments of a datagram overlapped, which nobody does by mistake; look at the sender"
        case .fragmentDuplicate:
            "a fragment came twice; the datagram is not lost"
        case .fragmentTimeout:
            "a datagram whose fragments did not all come within 30 seconds; look for losses"
        case .fragmentsFull:
            "a datagram gave way to younger ones: more fragments wait than there is memory for"
        case .openedAgain:
            "a client opened anew what its FTP server had reset; it will repeat that and be served"
        case .segmentsUnknown:
            "datagrams the host had joined, for a tunnel; ethtool -K INTERFACE rx-udp-gro-forwarding off"
        case .noLocalPort:
            "a server of FULLNAT had no local port left (directorctl -G); add addresses (directorctl -P)"
        case .untranslatable:
            "what IPv4 and IPv6 have not both, between a client of one and a server of the other"
        case .noCallID:
            "a service with --pe sip got what has no Call-ID, or is not UDP; look at the client"
        }
    }
}

/// What the value of an attribute must look like before anything is read from it.
///
/// The kernel judges every attribute it knows, those that a later one replaces as well; unknown ones
/// it leaves alone.
enum AttributeRule {
    /// A number of this many bytes; more are cut off.
    case number(Int)
    /// At most this many bytes.
    case bytes(Int)
    /// Bytes of which one of the first `longest` + 1 is zero.
    case text(longest: Int)
    /// Nothing, or attributes.
    case nest
}

extension NetlinkAttributes {
    /// Refuses the list when one of its attributes breaks the rule for its kind.
    ///
    /// A value too short has a number of its own where nothing encloses it (ERANGE), and inside a nest
    /// the nest as a whole is bad (EINVAL).
    func judge(
        short: ErrorNumber = .invalid, _ rule: (UInt16) -> AttributeRule?
    ) throws(Refusal) {
        try forEach { kind, value throws(Refusal) in
            switch rule(kind) {
            case .number(let size):
                guard value.count >= size else {
                    throw Refusal(short, "attribute \(kind) has less than \(size) bytes")
                }
            case .bytes(let most):
                guard value.count <= most else {
                    throw Refusal(.invalid, "attribute \(kind) has more than \(most) bytes")
                }
            case .text(let longest):
                guard value.prefix(longest + 1).contains(0) else {
                    throw Refusal(
                        value.isEmpty ? short : .invalid,
                        "attribute \(kind) is not text of at most \(longest) bytes and a zero")
                }
            case .nest:
                guard value.isEmpty || value.count >= 4 else {
                    throw Refusal(short, "attribute \(kind) holds no attributes")
                }
            case nil: break
            }
        }
    }
}

/// The rules of each list of the dialect (ipvs-semantics 10.1).
enum AttributePolicy {
    static func family(_ kind: UInt16) -> AttributeRule? {
        switch kind {
        case AttributeNumber.Family.number: .number(2)
        case AttributeNumber.Family.name: .text(longest: 15)
        default: nil
        }
    }

    static func top(_ kind: UInt16) -> AttributeRule? {
        switch kind {
        case AttributeNumber.Top.service, AttributeNumber.Top.destination,
            AttributeNumber.Top.daemon, AttributeNumber.Top.local:
            .nest
        case AttributeNumber.Top.timeoutTCP...AttributeNumber.Top.timeoutUDP: .number(4)
        default: nil
        }
    }

    static func service(_ kind: UInt16) -> AttributeRule? {
        typealias Number = AttributeNumber.Service
        switch kind {
        case Number.family, Number.transport, Number.port: return .number(2)
        case Number.address: return .bytes(16)
        case Number.mark, Number.timeout, Number.netmask: return .number(4)
        case Number.scheduler: return .text(longest: 15)
        case Number.engine: return .text(longest: 16)
        case Number.flags: return .bytes(8)
        case Number.statistics, Number.statistics64: return .nest
        case Number.fullNAT, Number.localCount: return .number(4)
        default: return nil
        }
    }

    static func local(_ kind: UInt16) -> AttributeRule? {
        typealias Number = AttributeNumber.Local
        switch kind {
        case Number.family: return .number(2)
        case Number.first, Number.last: return .bytes(16)
        case Number.takenPorts, Number.refused: return .number(8)
        default: return nil
        }
    }

    static func destination(_ kind: UInt16) -> AttributeRule? {
        typealias Number = AttributeNumber.Destination
        switch kind {
        case Number.address: return .bytes(16)
        case Number.port, Number.family, Number.tunnelPort, Number.tunnelFlags: return .number(2)
        case Number.tunnelType, Number.fullNAT: return .number(1)
        case Number.statistics, Number.statistics64: return .nest
        case Number.method...Number.persistent: return .number(4)
        default: return nil
        }
    }

    static func daemon(_ kind: UInt16) -> AttributeRule? {
        typealias Number = AttributeNumber.Daemon
        switch kind {
        case Number.state, Number.syncID, Number.group: return .number(4)
        case Number.interface: return .text(longest: 15)
        case Number.maximumBytes, Number.port: return .number(2)
        case Number.group6: return .number(16)
        case Number.timeToLive: return .number(1)
        default: return nil
        }
    }
}

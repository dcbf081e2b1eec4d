internal import LVS

/// The names of scheduler flags on the command line and in listings (ipvsadm-cli section 2).
enum SchedulerFlagNames {
    private static let bits: [ServiceFlags] = [.schedulerFlag1, .schedulerFlag2, .schedulerFlag3]

    /// The flags a list of names stands for, with this scheduler.
    static func flags(_ list: String, scheduler: String) throws(CommandError) -> ServiceFlags {
        var flags: ServiceFlags = []
        let names = list.split(separator: ",")
        guard !names.isEmpty || list.isEmpty else {
            throw .line("invalid scheduler flag `\(list)'")
        }
        for name in names {
            if let index = ["flag-1", "flag-2", "flag-3"].firstIndex(of: name) {
                flags.insert(bits[index])
                continue
            }
            guard let owner = ["sh", "mh"].first(where: { own($0).contains(String(name)) }) else {
                throw .line("invalid scheduler flag `\(name)'")
            }
            guard owner == scheduler, let index = own(owner).firstIndex(of: String(name)) else {
                throw .line("incompatible scheduler flag `\(name)'")
            }
            flags.insert(bits[index])
        }
        return flags
    }

    /// The names of the flags that are set, joined by commas; nil when no flag is set at all.
    ///
    /// sh and mh have no name for their third flag, so the list may be empty.
    static func text(_ flags: ServiceFlags, scheduler: String) -> String? {
        guard !flags.isDisjoint(with: ServiceFlags(bits)) else { return nil }
        let names = own(scheduler).isEmpty ? ["flag-1", "flag-2", "flag-3"] : own(scheduler)
        return zip(bits, names).filter { flags.contains($0.0) }.map(\.1).joined(separator: ",")
    }

    private static func own(_ scheduler: String) -> [String] {
        switch scheduler {
        case "sh": ["sh-fallback", "sh-port"]
        case "mh": ["mh-fallback", "mh-port"]
        default: []
        }
    }
}

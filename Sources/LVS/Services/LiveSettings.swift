import Synchronization

/// The settings that packets ask for, as words the housekeeper writes and workers read.
@safe
package struct LiveSettings: @unchecked Sendable {
    /// One word for each setting; see `Settings` for names, ranges and meaning.
    struct Words: ~Copyable {
        let connReuseMode = Atomic<UInt32>(1)
        let expireNoDestination = Atomic<UInt32>(0)
        let expireQuiescentTemplate = Atomic<UInt32>(0)
        let sloppyTCP = Atomic<UInt32>(0)
        let sloppySCTP = Atomic<UInt32>(0)
        let natICMPSend = Atomic<UInt32>(0)
        let cacheBypass = Atomic<UInt32>(0)
        let scheduleICMP = Atomic<UInt32>(0)
        let pathMTUDiscovery = Atomic<UInt32>(1)
        let secureTCP = Atomic<UInt32>(0)
        /// Every n-th packet about to be scheduled is dropped; 0 is none, a negative number all.
        let dropRate = Atomic<Int32>(0)
        /// Counts down to the next packet that is dropped; it stands still while none is.
        let dropCountdown = Atomic<Int32>(0)
        /// The director is a backup, and takes no requests.
        let onlyBackup = Atomic<UInt32>(0)
        let icmpRateLimit = Atomic<UInt32>(1000)
        let icmpRateMask = Atomic<UInt32>(0x1818)
        let icmpMessagesPerSecond = Atomic<UInt32>(1000)
        let icmpMessagesBurst = Atomic<UInt32>(50)
        let tcpEstablishedSeconds = Atomic<UInt32>(900)
        let tcpFinWaitSeconds = Atomic<UInt32>(120)
        let udpSeconds = Atomic<UInt32>(300)
        /// Other directors are told of connections; the rest says when (`SyncRules`).
        let master = Atomic<UInt32>(0)
        let syncPacket = Atomic<UInt32>(3)
        let syncPeriod = Atomic<UInt32>(50)
        let syncRefreshSeconds = Atomic<UInt32>(0)
        let syncRetries = Atomic<UInt32>(0)
        let syncPersistMode = Atomic<UInt32>(0)
        let syncVersion = Atomic<UInt32>(1)
        /// The first and the last local port that FULLNAT uses, in the upper and the lower half.
        let localPorts = Atomic<UInt32>(1024 << 16 | 65535)
    }

    let words: UnsafeMutablePointer<Words>

    init() {
        unsafe words = .allocate(capacity: 1)
        unsafe words.initialize(to: Words())
    }

    func deallocate() { unsafe words.deallocate() }

    /// Which openers on an existing connection are scheduled anew (ipvs-semantics 4.7).
    package var connReuseMode: UInt32 {
        unsafe words.pointee.connReuseMode.load(ordering: .relaxed)
    }
    /// The local ports that FULLNAT uses.
    package var localPorts: ClosedRange<UInt16> {
        let word = unsafe words.pointee.localPorts.load(ordering: .relaxed)
        return UInt16(word >> 16)...UInt16(truncatingIfNeeded: word)
    }
    package var expiresConnectionsWithoutDestination: Bool {
        unsafe words.pointee.expireNoDestination.load(ordering: .relaxed) != 0
    }
    /// Templates of servers with weight 0 are not followed any more (ipvs-semantics 5.4).
    package var expiresQuiescentTemplates: Bool {
        unsafe words.pointee.expireQuiescentTemplate.load(ordering: .relaxed) != 0
    }
    package var isSloppyTCP: Bool {
        unsafe words.pointee.sloppyTCP.load(ordering: .relaxed) != 0
    }
    package var isSloppySCTP: Bool {
        unsafe words.pointee.sloppySCTP.load(ordering: .relaxed) != 0
    }
    package var sendsICMPForUnknownReplies: Bool {
        unsafe words.pointee.natICMPSend.load(ordering: .relaxed) != 0
    }
    /// What a service by mark has no server for goes on to its own destination.
    package var bypassesCache: Bool {
        unsafe words.pointee.cacheBypass.load(ordering: .relaxed) != 0
    }
    /// ICMP errors open connections (ipvs-semantics 6.5).
    package var schedulesICMP: Bool {
        unsafe words.pointee.scheduleICMP.load(ordering: .relaxed) != 0
    }
    package var discoversPathMTU: Bool {
        unsafe words.pointee.pathMTUDiscovery.load(ordering: .relaxed) != 0
    }
    package var isSecureTCP: Bool {
        unsafe words.pointee.secureTCP.load(ordering: .relaxed) != 0
    }
    /// Whether `drop_packet` takes the packet that is about to be scheduled (ipvs-semantics 4.10).
    func takesForDefence() -> Bool {
        let rate = unsafe words.pointee.dropRate.load(ordering: .relaxed)
        guard rate != 0 else { return false }
        let left = unsafe words.pointee.dropCountdown.wrappingSubtract(1, ordering: .relaxed)
        guard left.newValue <= 0 else { return false }
        unsafe words.pointee.dropCountdown.store(rate, ordering: .relaxed)
        return true
    }
    /// Requests are the host's while the backup daemon runs (`backup_only`).
    package var isOnlyBackup: Bool {
        unsafe words.pointee.onlyBackup.load(ordering: .relaxed) != 0
    }
    /// How many ICMP errors leave; see `ICMPRateLimiter`.
    var icmpRate: ICMPRateLimiter.Rate {
        unsafe ICMPRateLimiter.Rate(
            milliseconds: words.pointee.icmpRateLimit.load(ordering: .relaxed),
            types: words.pointee.icmpRateMask.load(ordering: .relaxed),
            perSecond: words.pointee.icmpMessagesPerSecond.load(ordering: .relaxed),
            atOnce: words.pointee.icmpMessagesBurst.load(ordering: .relaxed))
    }
    /// The master of connection synchronisation runs.
    var isMaster: Bool {
        @inline(__always) get { unsafe words.pointee.master.load(ordering: .acquiring) != 0 }
    }
    var syncRules: SyncRules {
        unsafe SyncRules(
            packet: words.pointee.syncPacket.load(ordering: .relaxed),
            period: words.pointee.syncPeriod.load(ordering: .relaxed),
            refreshSeconds: words.pointee.syncRefreshSeconds.load(ordering: .relaxed),
            retries: words.pointee.syncRetries.load(ordering: .relaxed),
            isPersistMode: words.pointee.syncPersistMode.load(ordering: .relaxed) != 0,
            isVersion0: words.pointee.syncVersion.load(ordering: .relaxed) == 0)
    }
    package var tcpEstablishedSeconds: UInt32 {
        unsafe words.pointee.tcpEstablishedSeconds.load(ordering: .relaxed)
    }
    package var tcpFinWaitSeconds: UInt32 {
        unsafe words.pointee.tcpFinWaitSeconds.load(ordering: .relaxed)
    }
    package var udpSeconds: UInt32 {
        unsafe words.pointee.udpSeconds.load(ordering: .relaxed)
    }
}

extension LiveSettings {
    /// Takes over every word of another director's, the counts of its defences included.
    func take(all other: LiveSettings) {
        let count = MemoryLayout<Words>.size / MemoryLayout<UInt32>.size
        let old = unsafe UnsafeMutableRawPointer(other.words)
            .assumingMemoryBound(to: Atomic<UInt32>.self)
        let new = unsafe UnsafeMutableRawPointer(words)
            .assumingMemoryBound(to: Atomic<UInt32>.self)
        for index in 0..<count {
            unsafe new[index].store(old[index].load(ordering: .relaxed), ordering: .relaxed)
        }
    }

    /// Hands the timeouts to the workers; connections take them with their next packet.
    func take(_ timeouts: Timeouts) {
        unsafe words.pointee.tcpEstablishedSeconds.store(timeouts.tcp, ordering: .relaxed)
        unsafe words.pointee.tcpFinWaitSeconds.store(timeouts.tcpFin, ordering: .relaxed)
        unsafe words.pointee.udpSeconds.store(timeouts.udp, ordering: .relaxed)
    }

    /// Hands the settings to the workers.
    func take(_ settings: Settings) {
        func word(_ name: String) -> UInt32 {
            UInt32(truncatingIfNeeded: settings[name] ?? 0)
        }
        unsafe words.pointee.connReuseMode.store(word("conn_reuse_mode"), ordering: .relaxed)
        unsafe words.pointee.expireNoDestination.store(
            word("expire_nodest_conn"), ordering: .relaxed)
        unsafe words.pointee.expireQuiescentTemplate.store(
            word("expire_quiescent_template"), ordering: .relaxed)
        unsafe words.pointee.sloppyTCP.store(word("sloppy_tcp"), ordering: .relaxed)
        unsafe words.pointee.sloppySCTP.store(word("sloppy_sctp"), ordering: .relaxed)
        unsafe words.pointee.natICMPSend.store(word("nat_icmp_send"), ordering: .relaxed)
        unsafe words.pointee.cacheBypass.store(word("cache_bypass"), ordering: .relaxed)
        unsafe words.pointee.scheduleICMP.store(word("schedule_icmp"), ordering: .relaxed)
        unsafe words.pointee.pathMTUDiscovery.store(word("pmtu_disc"), ordering: .relaxed)
        unsafe words.pointee.icmpRateLimit.store(word("icmp_ratelimit"), ordering: .relaxed)
        unsafe words.pointee.icmpRateMask.store(word("icmp_ratemask"), ordering: .relaxed)
        unsafe words.pointee.icmpMessagesPerSecond.store(
            word("icmp_msgs_per_sec"), ordering: .relaxed)
        unsafe words.pointee.icmpMessagesBurst.store(word("icmp_msgs_burst"), ordering: .relaxed)
        unsafe words.pointee.syncPacket.store(word("sync_threshold"), ordering: .relaxed)
        unsafe words.pointee.syncPeriod.store(
            UInt32(clamping: settings.syncPeriod), ordering: .relaxed)
        unsafe words.pointee.syncRefreshSeconds.store(
            UInt32(clamping: settings["sync_refresh_period"] ?? 0), ordering: .relaxed)
        unsafe words.pointee.syncRetries.store(word("sync_retries"), ordering: .relaxed)
        unsafe words.pointee.syncPersistMode.store(word("sync_persist_mode"), ordering: .relaxed)
        unsafe words.pointee.syncVersion.store(word("sync_version"), ordering: .relaxed)
        take(localPorts: settings.localPorts)
    }

    /// Workers that see it also see what was made ready for a master before.
    func take(isMaster: Bool) {
        unsafe words.pointee.master.store(isMaster ? 1 : 0, ordering: .releasing)
    }

    /// Hands the local ports of FULLNAT to the workers, for connections to come.
    func take(localPorts range: ClosedRange<UInt16>) {
        unsafe words.pointee.localPorts.store(
            UInt32(range.lowerBound) << 16 | UInt32(range.upperBound), ordering: .relaxed)
    }

    /// Hands the state of the defences to the workers; `restartsCount` begins the count of packets to
    /// the next drop anew.
    func take(dropRate rate: Int32, restartsCount: Bool, isSecureTCP: Bool) {
        unsafe words.pointee.dropRate.store(rate, ordering: .relaxed)
        if restartsCount { unsafe words.pointee.dropCountdown.store(rate, ordering: .relaxed) }
        unsafe words.pointee.secureTCP.store(isSecureTCP ? 1 : 0, ordering: .relaxed)
    }

    func take(isOnlyBackup: Bool) {
        unsafe words.pointee.onlyBackup.store(isOnlyBackup ? 1 : 0, ordering: .relaxed)
    }
}

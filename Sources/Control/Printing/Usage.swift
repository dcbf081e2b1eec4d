/// What `-h` and `-v` print.
enum Usage {
    static let version = "directorctl: swift-lvs, grammar of ipvsadm 1.31, IPVS 1.2.1\n"

    static func text(program: String) -> String {
        """
        \(version)Usage:
          \(program) -A|E VIRTUAL [-s scheduler] [-p [timeout]] [-M netmask] [--pe engine] [-b flags] [-o]
               [FULLNAT]
          \(program) -D VIRTUAL
          \(program) -C
          \(program) -R
          \(program) -S [-n]
          \(program) -a|e VIRTUAL -r SERVER [-g|i|m|--fullnat] [-w weight]
               [-x upper] [-y lower] [TUNNEL]
          \(program) -d VIRTUAL -r SERVER
          \(program) -P|Q VIRTUAL -z ADDRESSES
          \(program) -G [VIRTUAL] [-n]
          \(program) -L|l [VIRTUAL|-c|--timeout|--daemon] [options]
          \(program) -Z [VIRTUAL]
          \(program) --set tcp tcpfin udp
          \(program) --start-daemon master|backup [--mcast-interface name] [daemon options]
          \(program) --stop-daemon master|backup [--syncid id]
          \(program) -h
        Of the director alone:
          \(program) status             drivers, drops with their cures, next hops, memory
          \(program) top [--interval SECONDS] [--count N] [--sort ORDER] [--reverse] [--filter TEXT]
               [--services] [--batch|--json] [--ascii]
                                        rates of services and servers, drops and workers' load,
                                        live; ORDER is name, connections, packets, bytes, active
                                        or inactive; --batch, and without a terminal: as text;
                                        --json: a line of JSON for each reading
          \(program) capture [FILTER] --write FILE|- [--packets N] [--bytes N[K|M|G]]
               [--seconds N] [--snap BYTES]
                                        packets before and after, as pcapng, with the director's
                                        reasons as comments; ends after 1000 packets or 10M bytes
                                        unless told otherwise, or with Ctrl-C
          \(program) explain PACKET     what would become of a packet, step by step:
                                        'tcp 198.51.100.7:4321 -> 192.0.2.1:80'
          \(program) explain --next [--wait SECONDS] [FILTER]
                                        what becomes of the next packet that comes; FILTER is of
                                        tcp|udp|sctp|icmp, [src|dst] host ADDRESS[/LENGTH],
                                        [src|dst] port NUMBER, flags syn|ack|fin|rst
          \(program) get [NAME]         shows all settings (net.ipv4.vs.NAME), or one
          \(program) set NAME=VALUE     changes a setting
          \(program) mark -A|-D RULE    marks packets for services by mark, in iptables' words:
                                        -p tcp -d VIP --dport 80 -j MARK --set-mark 7
          \(program) mark -L|-S         lists all marking rules, or its own as iptables-save does
          \(program) mark -F            removes the director's own marking rules
          \(program) save-state         brings the state file (director --state) up to date at once
          \(program) -L|-G|status|get|explain|mark -L ... [--json] [--watch SECONDS [--count N]]
                                        for programs; again and again, -L with rates
          \(program) --control PATH ... the director's socket; else $DIRECTOR_CONTROL, else the
                                        socket of this network namespace

        Commands, the first option of the line:
          --add-service   -A            add a virtual service
          --edit-service  -E            edit a virtual service
          --delete-service -D           delete a virtual service
          --clear         -C            delete all virtual services
          --restore       -R            read commands from standard input
          --save          -S            print the table as commands
          --add-server    -a            add a real server
          --edit-server   -e            edit a real server
          --delete-server -d            delete a real server
          --add-laddr     -P            add local addresses for servers with --fullnat
          --del-laddr     -Q            delete local addresses
          --get-laddr     -G            list local addresses, of one service or of all
          --list          -L|-l         list the table
          --zero          -Z            zero the counters of one service or of all
          --set tcp tcpfin udp          set the timeouts in seconds, 0 keeps one
          --start-daemon, --stop-daemon start and stop connection synchronisation
          --help          -h            show this text
          --version       -v            show the version

        VIRTUAL:
          --tcp-service|-t    address   address is host[:port] or [IPv6]:port
          --udp-service|-u    address
          --sctp-service      address
          --fwmark-service|-f mark      a firewall mark above zero; with --ipv6|-6 for IPv6

        Options:
          --scheduler   -s name         rr wrr lc wlc ... none; wlc when none is given
          --persistent  -p [timeout]    persistence in seconds, 360 when no number is given
          --netmask     -M mask         granularity of persistence: mask, or IPv6 prefix length
          --pe          engine          persistence engine (sip)
          --ops         -o              one-packet scheduling (UDP and marks)
          --sched-flags -b flags        scheduler flags, joined by commas
          --real-server -r address      real server host[:port]
          --gatewaying  -g              direct routing (the default)
          --ipip        -i              tunneling
          --masquerading -m             network address translation
          --fullnat                     translation of both addresses: servers see local ones
          --laddr       -z addresses    of -P and -Q: ADDRESS, FIRST-LAST or NETWORK/LENGTH
          --toa ack|syn                 FULLNAT: tell servers the client by a TCP option
          --proxy-protocol v1|v2        FULLNAT: tell it by the PROXY protocol instead
          --new-isn, --no-timestamps    FULLNAT: for servers that see a port again soon
          --tun-type    type            ipip, gue or gre
          --tun-port    port            destination port of gue
          --tun-nocsum, --tun-csum, --tun-remcsum
          --weight      -w weight       0 and up; 0 takes no new connections
          --u-threshold -x number       most connections of a server
          --l-threshold -y number       where an overloaded server takes connections again
          --numeric     -n              numbers instead of names
          --connection  -c              list connections
          --timeout, --daemon           list the timeouts, the synchronisation daemons
          --stats, --rate               list counters, rates
          --exact       -X              do not abbreviate numbers
          --thresholds, --persistent-conn, --tun-info
          --nosort                      list in the order of the table
          --mcast-interface name, --mcast-group address, --mcast-port port, --mcast-ttl ttl,
          --syncid id, --sync-maxlen length

        """
    }
}

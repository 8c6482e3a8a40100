# A resolver for the pages: answers each question over UDP at ADDRESS with one address of its type.
use strict;
use warnings;
use Socket;

socket my $socket, PF_INET, SOCK_DGRAM, 0 or die "socket: $!";
bind $socket, pack_sockaddr_in(53, inet_aton(shift)) or die "bind: $!";
while (my $from = recv $socket, my $query, 512, 0) {
    my $end = 12;
    $end += 1 + ord substr $query, $end, 1 while ord substr $query, $end, 1;
    my $question = substr $query, 12, $end - 12 + 5;
    my $type = unpack 'n', substr $query, $end + 1, 2;
    my $address = $type == 28 ? "\x20\x01\x0d\xb8" . "\0" x 11 . "\x01" : "\xc0\x00\x02\x01";
    my $answer = pack 'n n n N n', 0xc00c, $type, 1, 60, length $address;
    my $head = substr($query, 0, 2) . pack 'n n n n n', 0x8180, 1, 1, 0, 0;
    send $socket, $head . $question . $answer . $address, 0, $from;
}

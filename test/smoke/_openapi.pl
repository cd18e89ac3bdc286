#!/usr/bin/perl
# SPDX-License-Identifier: BSD-3-Clause
# _openapi.pl DOCUMENT URL TOKEN PREFIX: asks a running xylem-web for each path of the OpenAPI document, as it should be
# asked and as it should not, and holds each answer against it. Prints what is wrong, and at last how many were asked.
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use JSON::Validator::Schema::OpenAPIv3;

my ($document, $url, $token, $prefix) = @ARGV;
my $schema = JSON::Validator::Schema::OpenAPIv3->new($document);
print "the document: $_\n" for @{$schema->errors};
my $http = HTTP::Tiny->new(timeout => 20);
my $json = JSON::PP->new->allow_nonref;
my $asked = 0;

# What makes a good request.
my %query = (prefix => $prefix, address => '200::1', reason => 'spoofed', name => 'b');
my %name = ('/peers/{name}' => 'b', '/leaves/{name}' => 'phone', '/peers/{name}/reset' => 'b');
my %body = (
    'patch /peers/{name}' => '{"traffic":"on","cost":"default"}',
    'post /peers' => '{"name":"c","key":"ob4cVcOTBKFTsa5uY9o2Jf6jpbhLOjcZThlgbjiPKHM=","endpoints":["192.0.2.1:1"]}',
    'post /leaves' => '{"name":"phone","endpoint":"192.0.2.1:51820"}',
    'post /drain' => '{"drained":false}',
    'post /ping' => '{"to":"b","count":2,"interval_ms":200}',
    'post /netcheck' => '{"peer":"b"}',
    'post /capture' => '{"places":["opened"],"seconds":1,"packets":5}',
    'post /log-level' => '{"level":"default"}',
);
# Those that have to come in an order, or last.
my @order = ('post /peers', 'patch /peers/{name}', 'post /peers/{name}/reset', 'post /leaves', 'delete /leaves/{name}');

sub ask {
    my ($what, $method, $path, $to, $wanted, %how) = @_;
    my %headers = ('Content-Type' => 'application/json', %{$how{headers} || {}});
    $headers{Authorization} = "Bearer $token" unless $how{nobody};
    my %args = (headers => \%headers);
    $args{content} = $how{body} if defined $how{body};
    my $r = $http->request(uc $method, $url . $to, \%args);
    my $media = ($r->{headers}{'content-type'} || '') =~ s/;.*//r;
    # Lines are held against the document one by one; what is no JSON is bytes.
    my @values = map { my $text = $_; $media =~ /json/ ? eval { $json->decode($text) } : $text }
        $media eq 'application/x-ndjson' ? split(/\n/, $r->{content}) : $r->{content};
    $asked++;
    print "$what: $r->{status} instead of $wanted: $r->{content}\n" if $r->{status} != $wanted;
    for my $value (@values) {
        my @errors = $schema->validate_response([lc $method, $path],
            {status => $r->{status}, body => {exists => 1, value => $value, content_type => $media}});
        print "$what: $r->{status}: $_\n" for @errors;
    }
    print "$what: $media is no problem\n" if $wanted >= 400 && $media ne 'application/problem+json';
}

sub good {
    my ($method, $path, $op) = @_;
    my $to = $path;
    $to =~ s/\{name\}/$name{$path} || 'b'/e;
    $to = '/peers/c' if "$method $path" eq 'delete /peers/{name}';
    my @query = map { "$_->{name}=" . ($query{$_->{name}} // '') } grep { $_->{in} eq 'query' && $_->{required} } @{$op->{parameters}};
    $to .= '?' . join('&', @query) if @query;
    ask("$method $path", $method, $path, $to, 200, body => $body{"$method $path"});
    return $to;
}

sub bad {
    my ($method, $path, $op, $to) = @_;
    my $and = $to =~ /\?/ ? '&' : '?';
    ask("$method $path, with a parameter that is none", $method, $path, "$to${and}nothing=1", 400, body => $body{"$method $path"});
    ask("$method $path, by nobody", $method, $path, $to, 401, nobody => 1, body => $body{"$method $path"})
        unless exists $op->{security};
    (my $bare = $to) =~ s/\?.*//;
    ask("$method $path, with too little", $method, $path, $bare, 400) if $to =~ /\?/;
    return if $method eq 'get';
    for (['a member that is none', '{"nothing":1}', 400], ['no object', '[]', 400], ['no JSON', '{', 400]) {
        ask("$method $path, with $_->[0]", $method, $path, $to, $_->[2], body => $_->[1]);
    }
    ask("$method $path, as a form", $method, $path, $to, 415, body => 'a=b', headers => {'Content-Type' => 'application/x-www-form-urlencoded'});
    my $members = $op->{requestBody}{content}{'application/json'}{schema};
    ask("$method $path, with too little", $method, $path, $to, 400, body => '{}') if $members->{required};
    for my $key (sort keys %{$members->{properties}}) {
        ask("$method $path, with $key of another type", $method, $path, $to, 400, body => qq({"$key":{}}));
    }
}

my %todo;
for my $path (keys %{$schema->get('/paths')}) {
    $todo{"$_ $path"} = [$_, $path, $schema->get('/paths')->{$path}{$_}] for keys %{$schema->get('/paths')->{$path}};
}
my %first = map { $_ => 1 } @order;
for my $id (@order, grep { !$first{$_} } sort { ($a =~ /^delete/) <=> ($b =~ /^delete/) || $a cmp $b } keys %todo) {
    my ($method, $path, $op) = @{$todo{$id} || die "$id is not there\n"};
    next if $path eq '/events' || $path eq '/login'; # which is none of a token's, and never ends
    my $to = good($method, $path, $op);
    bad($method, $path, $op, $to);
}
ask('nobody of that name', 'get', '/peers/{name}', '/peers/nobody', 404);
ask('nobody of that name', 'patch', '/peers/{name}', '/peers/nobody', 404, body => '{"cost":5}');
ask('a prefix that is none', 'get', '/routes', '/routes?within=x', 422);
print "asked: $asked\n";

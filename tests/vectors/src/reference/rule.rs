//! The rules: every MUST of the specification that vectors can show, and both sides of every boundary.

use std::fmt;

/// Rules by the anchor of their section. A rule's sentence is what its mutant does not keep.
macro_rules! rules {
    ($($section:literal: { $($rule:ident $sentence:literal)* })*) => {
        /// A rule of the specification.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub enum Rule {
            $($(#[doc = $sentence] $rule,)*)*
        }

        impl Rule {
            /// All rules, in the order of the specification.
            pub const ALL: &[Self] = &[$($(Self::$rule,)*)*];

            /// Its name, as it is written in the code.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $($(Self::$rule => stringify!($rule),)*)* }
            }

            /// What it says.
            #[must_use]
            pub fn sentence(self) -> &'static str {
                match self { $($(Self::$rule => $sentence,)*)* }
            }

            /// The anchor of the section that it is from.
            #[must_use]
            pub fn section(self) -> &'static str {
                match self { $($(Self::$rule => $section,)*)* }
            }
        }
    };
}

rules! {
    "structure": {
        MostSignificantOctetFirst "An integer has its most significant octet first."
        KeyLengthHasThreeOctets "The length of the key has three octets, and all three count."
        KeyNotEmpty "A key has at least one octet."
        NameNotEmpty "A name has at least one octet."
        SignatureNotEmpty "A signature has at least one octet."
        VectorsAreWhole "A vector that ends early is refused, not shortened."
        NothingAfterTheStructure "Octets after the structure are refused."
    }
    "messages": {
        NotInServerHello "A credential's extension has no place in ServerHello."
        NotInHelloRetryRequest "A credential's extension has no place in HelloRetryRequest."
        NotInEncryptedExtensions "A credential's extension has no place in EncryptedExtensions."
        NotInNewSessionTicket "A credential's extension has no place in NewSessionTicket."
        OtherEntriesAreIgnored "A credential beside another certificate than the end-entity's is not taken."
        EntryHasNoExtensionTwice "An entry has an extension once."
    }
    "name": {
        NameHasNoUpperCase "An upper-case letter is malformed; it is not lowered."
        NameHasNoFinalDot "A final dot is malformed; it is not removed."
        NameHasNoSpace "Space around a name is malformed; it is not removed."
        NameHasNoNul "A name does not end at a NUL."
        NameHasNoUnderscore "An underscore is malformed."
        NameHasNoWildcard "A wildcard is malformed."
        NameIsNoAddress "Brackets and colons of addresses are malformed."
        NameIsAscii "What is not ASCII is malformed."
        NameHas253OctetsAtMost "A name of 254 or 255 octets is malformed."
        NameMayHave253Octets "A name of 253 octets is valid."
        LabelHas63OctetsAtMost "A label of 64 octets is malformed."
        LabelMayHave63Octets "A label of 63 octets is valid."
        LabelsAreNotEmpty "Two dots side by side, or one in front, are malformed."
        LabelBeginsWithNoHyphen "A hyphen at the beginning of a label is malformed."
        LabelEndsWithNoHyphen "A hyphen at the end of a label is malformed."
        LabelMayBeginWithADigit "A label that begins with a digit is valid."
        HyphensMayMeet "Hyphens in the third and fourth place are valid."
        ALabelsAreLabels "A label that begins with xn-- is valid as it is."
        NameMayBeOneLabel "A name of one label is valid."
        LastLabelIsNoDecimal "A last label of digits is malformed."
        LastLabelIsNoHexadecimal "A last label of 0x and hexadecimal digits is malformed."
        LastLabelIsNot0x "A last label of 0x alone is malformed."
        OnlyTheLastLabelIsNoNumber "Other labels than the last may be numbers."
    }
    "keys": {
        KeyIsASubjectPublicKeyInfo "What is no SubjectPublicKeyInfo is refused as a key."
        KeyIsDer "A length in more octets than DER takes is refused."
        NothingAfterTheKey "Octets after the key in its vector are refused."
        CredentialHasNoRsaeScheme "No credential has an rsa_pss_rsae scheme."
        CredentialHasNoPkcs1Scheme "No credential has an rsa_pkcs1 scheme."
        CredentialHasNoSha1Scheme "No credential has a scheme with SHA-1."
        UnknownSchemesFitNoKey "A scheme that nobody knows is for no key."
        SchemeHasTheKeysHash "A scheme has the hash of the key's parameters."
        CredentialsKeyIsNotRsaEncryption "No credential has a key of type rsaEncryption, with no scheme."
        SchemeIsForTheKeysType "The credential's scheme is for its type of key."
        SchemeIsForTheKeysCurve "The credential's scheme is for its curve."
        AlgorithmIsForTheCertificatesKey "The signature's scheme is for the certificate's type of key."
        AlgorithmIsOneOfTls13 "The signature has no rsa_pkcs1 scheme."
    }
    "time": {
        ValidTimeCountsFromNotBefore "valid_time counts from the certificate's notBefore, not from now."
        ValidTimeIsUnsigned "valid_time has no sign."
        TimesHaveMoreThan32Bits "The end of a credential is computed with more than 32 bits."
        CredentialHasNotEnded "A credential that has ended is refused."
        LastSecondIsValid "A credential is valid in its last second."
        SevenDaysRemainAtMost "A credential with more than seven days left is refused."
        NoSecondMoreThanSevenDays "Seven days and a second are refused."
        SevenDaysAreAllowed "Seven days to the second are accepted."
        LifetimeIsWhatRemains "The limit is on what remains, not on valid_time."
        CredentialMayEndAfterTheCertificate "The verifier does not compare with notAfter."
    }
    "signed": {
        SpacesComeFirst "Spaces come before the context string."
        SpacesAre64 "They are 64, no more and no fewer."
        ContextIsSigned "The context string is signed."
        ContextSaysTheRole "A signature for the other role is none."
        ContextSaysTheForm "A signature for the other form is none."
        ZeroFollowsTheContext "An octet 0x00 follows the context string."
        OneZeroFollowsTheContext "It is one octet."
        CertificateIsSigned "The certificate is signed."
        WholeCertificateIsSigned "The whole certificate is signed, not what its issuer signed of it."
        CredentialIsSigned "The credential is signed."
        NameIsSigned "The name is signed."
        AlgorithmIsSigned "The algorithm is signed."
        AlgorithmIsSignedLast "The algorithm comes last, not before the credential."
        RsaSignaturesArePss "A signature of PKCS #1 v1.5 is none of RSASSA-PSS."
        HashIsTheSchemes "A signature with another hash than the scheme's is none."
        EcdsaSignaturesAreDer "An ECDSA signature is DER, not two numbers side by side."
        CredentialDoesNotSignItself "The credential's own key cannot sign it."
        SignatureIsTheCertificateKeys "The signature is verified."
    }
    "certificate": {
        CertificateHasDelegationUsage "A certificate without DelegationUsage may not delegate."
        DelegationUsageIsNotCritical "A critical DelegationUsage is refused."
        DelegationUsageIsNotEmpty "An empty DelegationUsage is refused, unless the policy accepts it."
        DelegationUsageIsNull "A DelegationUsage that is not NULL is refused."
        DelegationUsageIsNotInherited "A DelegationUsage above the end-entity certificate has no effect."
        CertificateHasKeyUsage "A certificate without keyUsage may not delegate."
        KeyUsageHasDigitalSignature "A keyUsage without digitalSignature may not delegate."
        KeyAgreementIsNotEnough "A keyUsage with keyAgreement in the place of digitalSignature may not delegate."
        NamesAreThereOnce "A certificate with subjectAltName twice is refused."
        KeyUsageIsThereOnce "A certificate with keyUsage twice is refused."
        CertificateHasNoExtensionTwice "A certificate with an extension twice is refused."
    }
    "coverage": {
        NameIsCovered "A dNSName of the certificate covers the name."
        EveryDnsNameCounts "It need not be the first dNSName."
        SameDnsNameCovers "The same dNSName covers a name."
        CaseOfTheDnsNameIsIgnored "The case of a dNSName does not matter."
        WildcardStandsForOneLabel "A wildcard does not stand for two labels."
        WildcardStandsForALabel "A wildcard does not stand for no label."
        WildcardIsAWholeLabel "A wildcard is no part of a label."
        WildcardIsTheFirstLabel "A wildcard in the place of a later label covers nothing."
        OneWildcardAtMost "A second wildcard covers nothing."
        StarAloneCoversNothing "A wildcard alone covers nothing."
        WildcardMayStandBelowATopLevel "A wildcard below a top-level domain covers."
        DnsNameCoversNoSubdomain "A dNSName without wildcard covers no name below it."
        DnsNameWithAFinalDotCoversNothing "A dNSName with a final dot covers nothing."
        DnsNameIsNotCutAtNul "A dNSName with a NUL is not what is before it."
        CommonNameCoversNothing "A commonName covers nothing."
        AddressCoversNothing "An iPAddress covers nothing."
        SrvNameCoversNothing "An SRVName covers nothing."
        MailboxCoversNothing "An rfc822Name covers nothing."
        UriCoversNothing "A uniformResourceIdentifier covers nothing."
        NameIsInNoExcludedSubtree "A name in an excluded subtree of the path is refused."
        EveryCertificateOfThePathExcludes "Subtrees of every certificate of the path count."
        CaseOfASubtreeIsIgnored "The case of a subtree does not matter."
        SubtreeBeginsAtALabel "A subtree has whole labels."
        RootExcludes "Subtrees of the root's certificate count."
        EndEntityExcludes "Subtrees of the delegation certificate itself count."
        DottedSubtreeIsWhatIsBelow "A subtree that begins with a dot has the names below it."
        DottedSubtreeIsOnlyWhatIsBelow "A subtree that begins with a dot does not have the name without the dot."
        FinalDotOfASubtreeIsIgnored "A dot at the end of a subtree does not matter."
        ConstraintsCanBeRead "A name is refused if constraints of the path cannot be read."
        ConstraintsAreThereOnce "A name is refused if a certificate of the path has constraints twice."
        EmptySubtreeIsEverything "The empty subtree has every name."
        StarOfASubtreeIsALabel "A star in a subtree is a label like others."
    }
    "issuer": {
        IssuedNameIsCovered "A name that is not covered is not signed."
        IssuedNameIsNotExcluded "A name in an excluded subtree is not signed."
        IssuedKeyMayBeACredentials "A key that no credential may have is not signed."
        SomeLifetimeIsIssued "A lifetime of no time is not signed."
        SevenDaysAreIssuedAtMost "More than seven days are not signed."
        SevenDaysMayBeIssued "Seven days to the second may be signed."
        IssuedEndsBeforeTheCertificate "A credential that ends at notAfter is not signed."
        IssuedEndsWithTheCertificate "A credential that ends after notAfter is not signed."
        IssuersCertificateIsValid "Nothing is signed while the certificate is not valid."
        IssuedTimeHas32Bits "What 32 bits of valid_time cannot say is not signed."
        IssuedTimeCountsFromNotBefore "The issued valid_time counts from notBefore."
    }
    "reference": {
        ClientHasAReference "A client without a reference identity refuses a name."
        ReferenceIsADnsName "An address never matches."
        NameIsTheReference "The name is the reference identity."
        WholeNamesAreCompared "The first label is not enough."
        ParentsAreNotEnough "The zone is not enough."
        NameIsNotTheEndOfReference "A name that the reference identity ends with is another name."
        ReferenceIsNotTheEndOfName "A reference identity that the name ends with is another name."
        NameIsNotTheBeginningOfReference "A name that the reference identity begins with is another name."
        ReferenceIsNotTheBeginningOfName "A reference identity that the name begins with is another name."
        CaseOfTheReferenceIsIgnored "The case of the reference identity does not matter."
        OnlyAsciiCaseIsIgnored "Case is that of ASCII, not of Unicode."
        ReferenceMayEndWithADot "One dot at the end of the reference identity does not matter."
        ReferenceEndsWithOneDotAtMost "A reference identity with two dots at its end never matches."
        ReferenceIsNoWildcard "A reference identity with a wildcard never matches."
    }
    "policy": {
        RequiredNeedsACredential "`required` refuses a certificate without a credential."
        RequiredNeedsTls13 "`required` refuses a version below TLS 1.3."
        CertificateMayBeAcceptedBesides "`required, or a certificate` accepts a certificate's own key."
        PreferredTakesACertificate "`preferred` accepts a certificate's own key."
        IgnoredTakesACertificate "`ignored` accepts a certificate's own key."
    }
    "offer": {
        OnlyADnsNameIsOfferedFor "Without a DNS name the named form is not offered."
        RequiredNeedsADnsName "`required` fails at once without a DNS name."
        RequiredOffersNothingElse "`required` does not offer RFC 9345's form."
        OrCertificateOffersNothingElse "`required, or a certificate` does not offer RFC 9345's form."
        PreferredOffersBoth "`preferred` offers both forms."
        IgnoredOffersNoName "`ignored` does not offer the named form."
        OfferNamesTheReference "A client sends its reference identity in server_name."
        OfferedNameHasNoFinalDot "A client sends server_name without a final dot."
    }
    "server": {
        OlderVersionsIgnoreTheOffer "Below TLS 1.3 the offer is not looked at."
        OlderVersionsGetNoCredential "Below TLS 1.3 no credential is sent."
        ListIsNotEmpty "An empty list is malformed."
        ListIsEven "A list of an odd length is malformed."
        ListIsWhole "A list that is shorter than its length is malformed."
        NothingAfterTheList "Octets after a list are refused."
        UnknownSchemesAreIgnored "Unknown schemes in a list are no error."
        OfferHasNoExtensionTwice "A hello has an extension once."
        SignatureAlgorithmsAreThere "A hello for TLS 1.3 without signature_algorithms is refused."
        SecondHelloRepeatsNamed "The second ClientHello offers the named form as the first did."
        SecondHelloRepeatsRfc9345 "The second ClientHello offers RFC 9345's form as the first did."
        SecondHelloRepeatsTheList "The second ClientHello has the same lists as the first."
        OnlyOfferedFormsAreSent "A form that was not offered is not sent."
        SentSchemeIsInTheList "A credential whose scheme is not in its form's list is not sent."
        SentAlgorithmIsInSignatureAlgorithms "A credential whose algorithm is not in signature_algorithms is not sent."
        AlgorithmsOfCertificatesAreOthers "The schemes of signature_algorithms_cert are not for credentials."
        EndedCredentialsAreNotSent "A credential that has ended is not sent."
        CertificateIsForServerName "A credential whose certificate is not for server_name is not sent."
        NameIsSentToWhoNamesIt "A named credential is not sent to who sends another name."
        NameIsNotSentToWhoNamesNone "A named credential is not sent to who sends no name."
        ExceptionIsPossible "By the operator's exception it is sent to who sends no name."
        ExceptionIsForNoName "The exception is not for who sends another name."
        AddressIsAnotherName "An address in server_name is a name, and another one."
        CaseOfServerNameIsIgnored "The case of server_name does not matter."
        ServerNameMayEndWithADot "One dot at the end of server_name does not matter."
        NamedComesFirst "A named credential goes before one without a name."
        OwnOrderCounts "Among several the holder's own order counts."
        CaseOfACoveredServerNameIsIgnored "The case of server_name does not matter for the certificate's names."
        CoveredServerNameMayEndWithADot "One dot at the end of server_name does not matter for the certificate's names."
        CertificateIsTheFallback "Without a candidate the certificate's own key is used."
    }
    "client-checks": {
        EntryHasOneForm "Both forms in one entry are refused."
        FormWasOffered "A form that was not offered is refused."
        SchemeWasOffered "A credential's scheme that was not offered is refused."
        SchemeIsInTheFormsOwnList "The list of the other form does not count."
        SchemeIsNotLookedUpInSignatureAlgorithms "signature_algorithms does not count for the credential's scheme."
        AlgorithmWasOffered "A signature's scheme that was not offered is refused."
        AlgorithmIsNotLookedUpInTheFormsList "The form's list does not count for the signature's scheme."
        DuplicatesComeBeforeTheOffer "What is there twice is refused before it is compared with the offer."
        OfferComesBeforeDecoding "What was not offered is not decoded."
        SchemesComeBeforeTheCertificate "Schemes are compared with the offer before the certificate is looked at."
        CertificateComesBeforeTime "The certificate is looked at before the time."
        TimeComesBeforeTheKey "The time is looked at before the key."
        KeyComesBeforeTheSignature "The key is looked at before the signature."
        SignatureComesBeforeTheName "The signature is verified before the name is looked at."
        NameComesBeforeCoverage "The name is compared with the reference identity before the certificate's names."
        PathLeadsToTheRoot "The path leads to a trusted root."
        PathIsSigned "Each certificate of the path is signed by the next."
        CertificateHasBegun "A certificate before its notBefore is refused."
        CertificateHasNotEnded "A certificate after its notAfter is refused."
        CertificateHasAFirstSecond "A certificate is valid at its notBefore."
        CertificateHasALastSecond "A certificate is valid at its notAfter."
        CertificateIsForTheReference "A certificate for other names is refused."
        CertificateVerifyComesLast "CertificateVerify is looked at after the credential."
        CertificateVerifyHasTheScheme "CertificateVerify has the credential's scheme."
        CredentialsKeyIsProved "The CertificateVerify of a credential is verified."
        CertificatesKeyDoesNotProve "With a credential, the certificate's key proves nothing."
        CertificateVerifySaysTheRole "A CertificateVerify of the other role is none."
        CertificatesOwnSchemeWasOffered "Without a credential, the scheme of CertificateVerify is in signature_algorithms."
        CertificatesOwnSchemeIsOneOfTls13 "Without a credential, CertificateVerify has no rsa_pkcs1 scheme."
        CertificatesKeyIsProved "Without a credential, CertificateVerify is verified with the certificate's key."
    }
    "client-auth": {
        ClientMayBeUnknown "A server need not know the client's name before."
        ClientMayBeExpected "A server that expects a client refuses another."
        ServerMayRequireAName "A server that requires the name takes an unnamed credential for none."
        ServerMayRequireANameOrACertificate "A server that takes a name or a certificate takes an unnamed credential for none."
        RequiredClientHasACertificate "A server that requires the name refuses a client without any certificate."
        ClientWithoutACandidateSendsNoEntries "A client without a candidate and a certificate sends a Certificate without entries."
        ClientSendsItsName "A client answers a CertificateRequest with a named credential, without server_name."
    }
    "reuse": {
        NamedIsAuthoritativeForItself "A named connection is authoritative for its unique name."
        CaseOfTheOtherOriginIsIgnored "The case of the other origin does not matter."
        NamedIsNotWhatItsCertificateIs "A named connection is authoritative for nothing else that its certificate names."
        ConnectionsServeNoStrongerPolicy "A connection is not used under a stronger policy than it was made under."
        EndedConnectionsAreNotReused "A connection is not used for another origin after the end of its credential."
        ServedOriginsMayGoOn "After the end of its credential, a connection goes on for origins that it has served."
        RequiredReusesNoRfc9345 "`required` uses no connection with RFC 9345's form."
        RequiredReusesNoCertificate "`required` uses no connection with a certificate alone."
        OrCertificateReusesNoRfc9345 "`required, or a certificate` uses no connection with RFC 9345's form."
        OrCertificateReusesCertificates "`required, or a certificate` uses a connection with a certificate."
        NamedConnectionsAreReused "A named connection may be used for its name under every policy."
        LastSecondIsReused "A connection may be used for another origin in the last second."
        OtherOriginMayEndWithADot "A final dot of the other origin's host does not matter."
    }
    "sessions": {
        SessionIsForOneReference "A session is not resumed for another reference identity."
        SessionsReferenceIsAName "Case and one final dot of a session's reference identity do not matter."
        SessionsGoToNoStrongerPolicy "A session is not resumed under a stronger policy than it was made under."
        NamedSessionsAreResumed "A named session may be resumed."
        RequiredResumesNoRfc9345 "`required` resumes no session with RFC 9345's form."
        RequiredResumesNoCertificate "`required` resumes no session with a certificate alone."
        OrCertificateResumesNoRfc9345 "`required, or a certificate` resumes no session with RFC 9345's form."
        OrCertificateResumesCertificates "`required, or a certificate` resumes a session with a certificate."
        EndedSessionsAreNotResumed "A session is not resumed after the end of its credential."
        LastSecondIsResumed "A session may be resumed in the last second."
        TicketsHaveALifetime "A session is not resumed after the lifetime of its ticket."
        TicketsLastSevenDaysAtMost "A session is not resumed more than seven days after its ticket came."
        TicketsOfNoLifetimeAreDiscarded "A ticket with a lifetime of zero is discarded at once."
        InheritedIsTheName "A session of a resumed connection has the name of the first."
        InheritedIsThePolicy "A session of a resumed connection has the policy of the first."
        InheritedIsTheCredentialsEnd "A session of a resumed connection ends with the credential of the first."
        InheritedIsNotTheTicketsEnd "A session of a resumed connection does not end with the ticket of the first."
        InheritedEndsWithItsTicket "A session of a resumed connection ends with its own ticket."
        ServersCredentialHasNotEnded "A server resumes no session after the end of its own credential."
        ClientsCredentialHasNotEnded "A server resumes no session after the end of the client's credential."
        LastSecondIsResumedByServers "A server may resume a session in the last second."
        ServerNameStaysTheSame "A server resumes no named session for another server_name."
        ServerNameDoesNotGoMissing "A server resumes no named session without the server_name that it was made with."
        ServerNameDoesNotAppear "A server resumes no named session with a server_name that was made without one."
        ServersReferenceIsTheSame "A server that expects a client resumes no session of another."
        ServersPolicyIsNoStronger "A server resumes no session under a stronger policy for clients."
    }
    "withdrawal": {
        WithdrawnSessionsAreNotResumed "A session with a withdrawn name is not resumed."
        WithdrawalIsOfWholeNames "A withdrawn name is not a zone of names."
        SessionsWithWithdrawnKeysAreNotResumed "A session with a withdrawn key is not resumed."
        WithdrawnClientsAreNotResumed "A server resumes no session of a withdrawn name."
        ClientsWithWithdrawnKeysAreNotResumed "A server resumes no session of a withdrawn key."
        WithdrawnConnectionsAreNotReused "A connection with a withdrawn name is not used for another origin."
        ConnectionsWithWithdrawnKeysAreNotReused "A connection with a withdrawn key is not used for another origin."
        WithdrawnNamesAreRefused "A withdrawn name is refused in a handshake."
        WithdrawnKeysAreRefused "A withdrawn key is refused in a handshake."
        WithdrawalComesLast "The application is asked after all checks."
    }
    "elsewhere": {
        RawKeysHaveNoCredential "A credential beside a raw public key is refused."
        UnknownExtensionsAreIgnored "Extensions of types that nobody knows are passed over."
    }
    "files": {
        FileHasACredential "A file without a credential is refused."
        FileMayHaveSeveral "All credentials of a file are read."
        LabelSaysTheForm "The label says the form."
        BothRolesAreTried "Both roles are tried."
        LabelsRoleIsTheSignatures "A label that says the other role is refused."
        TextAroundBlocksIsIgnored "Text around blocks is passed over."
        OtherBlocksAreIgnored "Blocks of other known kinds are passed over."
        OtherBlocksAreNotDecoded "Blocks of other known kinds are not decoded."
        ParametersAreIgnored "Blocks of parameters are passed over."
        AnyPrivateKeysAreIgnored "Private keys of every kind are passed over."
        UnknownBlocksAreRefused "A block of an unknown kind is refused."
        LabelsHaveWholeWords "A label that ends like a known one is unknown."
        LabelMaySayServer "A label may say the role of a server."
        LabelMaySayClient "A label may say the role of a client."
        HeadersAreIgnored "Header lines before the base64 are passed over."
        ByteOrderMarkIsIgnored "A byte order mark of UTF-8 before a line is passed over."
        DamagedBoundariesAreRefused "A line that begins like a boundary and is none is refused."
        CrEndsALine "A line may end with CR alone."
        SpaceAroundLinesIsIgnored "Space around lines is passed over, those of boundaries too."
        SpaceInBase64IsIgnored "Space between the characters of base64 is passed over."
        LinesOfBase64HaveAnyLength "A line of base64 has any length."
        EmptyLinesAreIgnored "Empty lines in a block are passed over."
        NextBeginDoesNotEndABlock "A BEGIN in a block does not end it."
        SomeRoleSigned "A credential that its certificate signed for neither role is refused."
        BlockBegins "An end without a beginning is refused."
        BlockEnds "A beginning without an end is refused."
        BothLabelsAreTheSame "A block that ends with another label is refused."
        BlockIsNotEmpty "A block with nothing in it is refused."
        OtherCharactersAreRefused "Characters that base64 has not are refused."
        Base64HasItsPadding "Base64 without its padding is refused."
    }
    "alerts": {
        MalformedIsDecodeError "A malformed structure is decode_error."
        MalformedNameIsDecodeError "A malformed name is decode_error."
        MalformedListIsDecodeError "A malformed list is decode_error."
        TwiceIsIllegal "An extension twice is illegal_parameter."
        BothFormsAreIllegal "Both forms are illegal_parameter."
        ChangedOfferIsIllegal "A changed offer is illegal_parameter."
        WrongMessageIsIllegal "An extension in the wrong message is illegal_parameter."
        NotOfferedIsUnexpected "A form that was not offered is unexpected_message."
        UnofferedAlgorithmIsIllegal "A scheme that was not offered is illegal_parameter."
        UnfitCertificateIsIllegal "A certificate that may not delegate is illegal_parameter."
        WrongTimeIsIllegal "A credential at the wrong time is illegal_parameter."
        WrongKeyIsIllegal "A wrong key or scheme is illegal_parameter."
        BadSignatureIsIllegal "A wrong signature of the certificate's key is illegal_parameter."
        NoDnsNameIsIllegal "A reference identity that is no DNS name is illegal_parameter."
        WrongNameIsIllegal "Another name is illegal_parameter."
        UncoveredNameIsIllegal "A name that is not covered is illegal_parameter."
        MissingCredentialIsHandshakeFailure "A missing credential is handshake_failure."
        OldVersionIsProtocolVersion "An old version is protocol_version."
        UntrustedPathIsUnknownCa "An untrusted path is unknown_ca."
        EndedCertificateIsExpired "A certificate at the wrong time is certificate_expired."
        OtherCertificateIsBad "A certificate for other names is bad_certificate."
        OtherSchemeIsIllegal "A CertificateVerify with another scheme is illegal_parameter."
        BadProofIsDecryptError "A CertificateVerify of another key is decrypt_error."
        MissingAlgorithmsAreMissingExtension "A hello without signature_algorithms is missing_extension."
        NoCertificateIsCertificateRequired "A client without any certificate is certificate_required."
        RawKeysCredentialIsIllegal "A credential beside a raw public key is illegal_parameter."
        WithdrawnIsAccessDenied "A withdrawn name or key is access_denied."
        NothingSuitsIsHandshakeFailure "If nothing suits, it is handshake_failure."
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

"""Phone numbers are brought to E.164, or refused with the fix."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from phonenumbers import (
    SUPPORTED_REGIONS,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_type,
    format_number,
    is_valid_number,
    national_significant_number,
    ndd_prefix_for_region,
    parse,
)

from airflow_provider_twiliocall.twilio.number_reading import normalize_phone_number
from tests.unit.examples import e164, reproducible

FIXED_LINE, MOBILE = PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE

number_like = st.text(alphabet="+0123456789 -.()/\u00a0\u2009\u2011\u2013\u200b٣５xX", max_size=25)


@st.composite
def numbers_that_lack_a_digit(draw: st.DrawFn) -> tuple[str, str | None, str]:
    """A number with its trunk prefix and one digit too few, its country if it has no +, and all as if dialled."""
    region = draw(st.sampled_from(sorted(SUPPORTED_REGIONS)))
    # Where numbers do begin with 0, as in Italy, nobody can tell that it is too much.
    prefix = ndd_prefix_for_region(region, True) or ("0" if region in ("ES", "PL", "CZ", "DK") else None)
    number = example_number_for_type(region, draw(st.sampled_from([FIXED_LINE, MOBILE])))
    assume(prefix is not None and number is not None)
    digits = national_significant_number(number)
    place = draw(st.integers(0, len(digits) - 1))
    short = f"{prefix}{digits[:place]}{digits[place + 1 :]}"
    wrong = f"+{number.country_code}{short}"
    # Kazakhstan's trunk prefix is how numbers of Russia begin, which has the same country code.
    assume(not (number.country_code == 7 and is_valid_number(parse(wrong))))
    return draw(st.sampled_from([(wrong, None, wrong), (short, region, wrong)]))


@st.composite
def numbers_that_were_floats(draw: st.DrawFn) -> tuple[str, str | None, str]:
    """A number as a float or a spreadsheet writes it, the country it is read with, and the digits it had before."""
    number = draw(e164)
    digits = number.removeprefix("+")
    country = draw(st.sampled_from([None, "US", "FR", "DE"]))
    if country is not None and draw(st.booleans()):
        # What is left of a national number once its zero is lost, or with it.
        national = re.sub("^(1|33|49)", "", digits)
        digits = draw(st.sampled_from([national, f"0{national}"]))
    elif draw(st.booleans()):
        digits = f"+{digits}"
    separator = draw(st.sampled_from(["", "", " ", "\u00a0", "\u202f", "-"]))
    grouped = re.sub(r"(?<=[0-9])(?=(?:[0-9]{3})+$)", separator, digits)
    point = draw(st.sampled_from([".", "·", ".\u200b", " .", ". ", "\u00a0."]))
    decimals = draw(st.sampled_from(["0", "00", "5", "50", "125", "0000", "333333", "5000000001"]))
    return f"{grouped}{point}{decimals}", country, digits


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("+15551234567", "+15551234567"),
        ("+33 6 12-34 56 78", "+33612345678"),
        ("+1 (555) 123-4567", "+15551234567"),
        ("+1.555.123.4567", "+15551234567"),
        ("+49 30/1234567", "+49301234567"),
        ("+33\u00a06\u00a012\u00a034\u00a056\u00a078", "+33612345678"),
        ("+33\u20096\u200912\u200934\u200956\u200978", "+33612345678"),
        ("+44 20\u20117946\u20130123", "+442079460123"),
        ("+1 555\u2212123\u22124567", "+15551234567"),
        ("\u202a+1 555 123 4567\u202c", "+15551234567"),
        ("  +15551234567\n", "+15551234567"),
        ("+15005550006", "+15005550006"),
        ("+15005550001", "+15005550001"),
        ("+2901234", "+2901234"),
        ("+33 06 12 34 56 78", "+33612345678"),
        ("+44 (0)20 7946 0123", "+442079460123"),
        ("+44(0) 20 7946 0123", "+442079460123"),
        ("+39 06 6982 1234", "+390669821234"),
        ("+33.6.12.34.56.00", "+33612345600"),
        ("+1.5005550006", "+15005550006"),
        ("+1 (500) 555-0006", "+15005550006"),
        ("+15005550006.", "+15005550006"),
        ("+1 (415) 555.2671", "+14155552671"),
        ("+44 7911.123456", "+447911123456"),
        ("+33 6 12 34 56.78", "+33612345678"),
        ("+49.89.12.34.56", "+4989123456"),
        ("+378 0549 886377", "+3780549886377"),
        ("+378 886377", "+3780549886377"),
        ("+225 07 12 34 56 78", "+2250712345678"),
        ("+241 06 03 12 34", "+24106031234"),
        ("+242 06 123 4567", "+242061234567"),
        ("+229 01 95 12 34 56", "+2290195123456"),
        ("+7 800 555 35 35", "+78005553535"),
        ("+7 8 916 123 45 67", "+79161234567"),
        ("+44 7700 90012", "+44770090012"),
        ("+800 1234 5678", "+80012345678"),
    ],
)
def test_a_number_as_people_write_it_comes_out_in_e164(written, dialled):
    assert normalize_phone_number(written) == dialled


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("5551234567", "'5551234567' is not E.164: start with + and the country code, e.g. +15551234567"),
        ("06 12 34 56 78", "is not E.164: start with + and the country code"),
        ("0033612345678", "starts with 00: write + instead of 00"),
        ("+0033612345678", "starts with 00: write + instead of 00"),
        ("+15005550006.0", "has decimals, as a number that was a float: give the number as a string"),
        ("+15005550006.00", "has decimals"),
        ("+1 500 555 0006.0", "has decimals"),
        ("15005550006.0", "has decimals"),
        ("+4989123456.0", "has decimals"),
        ("+4989123456.5", "has decimals"),
        ("+4989123456.125", "has decimals"),
        ("+49 89 123456 .0", "has decimals"),
        ("+4989123456. 0", "has decimals"),
        ("+4989123456\u200b.0", "has decimals"),
        ("+49 89 123456.50", "has decimals"),
        ("+49 (89) 123456.125", "has decimals"),
        ("+4 989 123 456.125", "has decimals"),
        ("+4989123456•0", "has decimals"),
        ("+33.612345678.0", "has decimals"),
        ("1.5005550006e10", "has an exponent, as a number that was a float"),
        ("+1.5E+10", "has an exponent"),
        ("15005550006e0", "has an exponent"),
        ("nan", "has letters"),
        ("+15005550006 (12)", "ends with an extension: leave it out, it goes in send_digits"),
        ("+4989123456(12)", "ends with an extension"),
        ("+498912345 4567890", "is more than one number"),
        ("+498912345/8976543", "is more than one number"),
        ("+15005550006x12", "has letters"),
        ("+15005550006;ext=12", "has letters"),
        ("+15005550006 #12", "has characters other than + and the digits"),
        ("+1 500 555 000", "is too short for a number with the country code +1: write all its digits"),
        ("+1500555000", "is too short for a number with the country code +1: write all its digits"),
        ("+150055500060", "is too long for a number with the country code +1"),
        ("+123456789012345", "is too long for a number with the country code +1"),
        ("+15550006", "is too short for a number with the country code +1"),
        ("+4989", "is a short number"),
        ("+2905123456", "is too long"),
        ("+15550006", "is too short for a number with the country code +1"),
        ("+999123456", "has no country code that exists: check its digits"),
        ("+33 06 12 34 56 7", "is too short for a number with the country code +33, its 0 not counted"),
        ("+33 (0)6 12 34 56 7", "is too short for a number with the country code +33, its 0 not counted"),
        ("+33061234567", "write all the other digits, and no 0 before them"),
        ("+1 1 500 555 000", "is too short for a number with the country code +1, its 1 not counted"),
        ("+11500555000", "is too short for a number with the country code +1"),
        ("+1 0500555000", "is too short for a number with the country code +1, its 0 not counted"),
        ("+34 061234567", "is too short for a number with the country code +34, its 0 not counted"),
        ("+41079123456", "is too short for a number with the country code +41"),
        ("+48 050 123 456", "is too short for a number with the country code +48"),
        ("+420060123456", "is too short for a number with the country code +420"),
        ("+7 8 916 123 45 6", "is too short for a number with the country code +7, its 8 not counted"),
        ("+370 8 612 3456", "is too short for a number with the country code +370, its 8 not counted"),
        (
            "+44 (0)7700 90012",
            "has too few or too many digits for what it begins with: check them, or write +44",
        ),
        ("+49 00 89 123456", "has one zero too many after the country code: leave it out"),
        ("+0612345678", "has no country code"),
        ("911", "'911' is an emergency number"),
        ("112", "'112' is an emergency number"),
        ("000", "'000' is an emergency number"),
        ("+999", "'+999' is an emergency number"),
        ("+1 911", "'+1 911' is an emergency number"),
        ("+44999", "'+44999' is an emergency number"),
        ("+81 110", "'+81 110' is an emergency number"),
        ("+353-112", "'+353-112' is an emergency number"),
        ("40404", "'40404' is a short number"),
        ("+123456", "'+123456' is a short number"),
        ("+1 555 CALLNOW", "has letters: write digits only"),
        ("+15551234567 ext 12", "(an extension goes in send_digits)"),
        ("+1555\u0663\u0663\u0663\u0663\u0663\u0663\u0663", "type it again in plain digits"),
        ("\uff0b15551234567", "type it again in plain digits"),
        ("+1555123456\uff17", "type it again in plain digits"),
        ("+1,555,1234567", "type it again in plain digits"),
        ("+1555+1234567", "type it again in plain digits"),
        ("+1234567890123456", "has 16 digits and E.164 allows 15"),
        ("", "'' has no digits"),
        (" + ", "' + ' has no digits"),
        (15551234567, "is not text: give the number as a string"),
        (
            15005550006,
            "(a number has lost its +, as YAML reads it without quotes: put quotes around it",
        ),
        (15005550006.0, "is not text: give the number as a string"),
        (True, "True is not text: give the number as a string"),
        (None, "None is not text: give the number as a string"),
    ],
)
def test_what_cannot_be_dialled_is_refused_with_the_fix(written, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        normalize_phone_number(written)


@pytest.mark.parametrize("written", ["+15005550006 (Bob)", "+33612345678 # Bob", "+1 555 CALLNOW"])
def test_words_after_a_number_are_no_extension(written):
    with pytest.raises(ValueError, match=r"has letters: write digits only, e\.g\. \+15551234567$"):
        normalize_phone_number(written)


@pytest.mark.parametrize("written", ["+15005550006x12", "+15005550006 ext. 12", "+15005550006;ext=12"])
def test_for_an_extension_there_is_send_digits(written):
    with pytest.raises(ValueError, match="an extension goes in send_digits"):
        normalize_phone_number(written)


@pytest.mark.parametrize(
    ("written", "country", "dialled"),
    [
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("(0)6.12.34.56.78", "fr", "+33612345678"),
        ("0033 6 12 34 56 78", "FR", "+33612345678"),
        ("011 33 6 12 34 56 78", "US", "+33612345678"),
        ("612345678", "FR", "+33612345678"),
        ("33612345678", "FR", "+33612345678"),
        ("+44 20 7946 0123", "FR", "+442079460123"),
        ("(500) 555-0006", "US", "+15005550006"),
        ("1 500 555 0006", "US", "+15005550006"),
        ("2025550123", "US", "+12025550123"),
        ("916 123-45-67", "RU", "+79161234567"),
        ("089 123456", "DE", "+4989123456"),
        ("312345", "AD", "+376312345"),
        (15005550006, "US", "+15005550006"),
        (5005550006, "US", "+15005550006"),
        (33612345678, "FR", "+33612345678"),
        (447700900123, "GB", "+447700900123"),
        (15005550006, "FR", "+15005550006"),
    ],
)
def test_a_default_country_makes_a_number_of_a_national_one(written, country, dialled):
    assert normalize_phone_number(written, default_country=country) == dialled


@pytest.mark.parametrize(
    ("written", "country", "message"),
    [
        ("0033612345678", "US", "starts with 00: write + instead of 00"),
        ("5550006", "US", "is too short for a number with the country code +1: write its area code too"),
        ("061234567", "FR", "is too short for a number with the country code +33, its 0 not counted"),
        ("1500555000", "US", "is too short for a number with the country code +1, its 1 not counted"),
        ("8 777 100 09 9", "KZ", "is too short for a number with the country code +7, its 8 not counted"),
        ("07700 90012", "GB", "has too few or too many digits for what it begins with"),
        (1500555000, "US", "is not a number that can be dialled"),
        ("116117", "DE", "is a short number"),
        ("40404", "US", "is too short"),
        ("112", "FR", "is an emergency number"),
        (112, "FR", "is an emergency number"),
        (12345, "DE", "is a short number"),
        ("06 12 34 56 78.0", "FR", "has decimals"),
        ("06 12 34 56 78.25", "FR", "has decimals"),
        ("612345678.125", "FR", "has decimals"),
        ("0612345678 (12)", "FR", "ends with an extension"),
        ("0891234 0895678", "DE", "is more than one number: write them as a list, or with commas"),
        ("442079460123", "DE", "may be a number of DE, or one of another country that lacks its +"),
        (2025550123, "US", "may be more than one number, with a + or in US"),
        (442079460123, "DE", "may be more than one number"),
        (0o612345677, "FR", "may be more than one number"),
        (-15005550006, "US", "has characters other than + and the digits"),
        (15005550006.0, "US", "is not text"),
        (True, "US", "is not text"),
        (10**30, "US", "is not a number that can be dialled"),
        ("0612345678", "UK", "'UK' is not a country code of ISO 3166: give GB"),
        ("0612345678", "France", "'France' is not a country code of ISO 3166: give two letters, such as US"),
    ],
)
def test_what_could_be_a_strangers_number_is_refused_with_a_default_country_too(written, country, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        normalize_phone_number(written, default_country=country)


@reproducible(examples=1000)
@given(numbers_that_lack_a_digit())
def test_a_trunk_prefix_never_makes_up_for_a_digit_that_is_missing(written):
    text, country, wrong = written
    with suppress(ValueError):
        assert normalize_phone_number(text, default_country=country) != wrong


@reproducible(examples=1000)
@given(st.sampled_from(sorted(SUPPORTED_REGIONS)), st.sampled_from([FIXED_LINE, MOBILE]))
def test_a_number_that_is_assigned_is_dialled_in_every_country(region, kind):
    number = example_number_for_type(region, kind)
    assume(number is not None)
    e164 = format_number(number, PhoneNumberFormat.E164)
    national = national_significant_number(number)
    prefix = ndd_prefix_for_region(region, True)
    assert normalize_phone_number(e164) == e164
    # Colombia's is asked for a carrier's digit after it.
    if prefix and region != "CO":
        assert normalize_phone_number(f"+{number.country_code} ({prefix}){national}") == e164


@pytest.mark.parametrize("written", ["06 98 76 54 32 1", "442079876543", 442079876543])
def test_a_refusal_with_a_default_country_shows_a_national_number_cut(written):
    with pytest.raises(ValueError) as refused:
        normalize_phone_number(written, default_country="DE" if "44" in str(written) else "FR")
    assert "876" not in re.sub(r"\D", "", str(refused.value).partition("e.g.")[0])


@reproducible(examples=300)
@given(e164, st.sampled_from(["US", "FR", "GB", "DE", "IT"]))
def test_an_integer_that_has_lost_its_plus_is_the_same_number_or_refused(number, country):
    try:
        assert normalize_phone_number(int(number), default_country=country) == number
    except ValueError as refused:
        assert "may be more than one number" in str(refused)


@reproducible(examples=300)
@given(st.one_of(number_like, st.text(), e164), st.sampled_from(["US", "FR", "DE", "IT", "AR", "BR", "RU"]))
def test_any_text_gives_e164_or_a_value_error_with_a_default_country_too(text, country):
    try:
        number = normalize_phone_number(text, default_country=country)
    except ValueError:
        return
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", number, flags=re.ASCII)
    assert normalize_phone_number(number, default_country=country) == number


@pytest.mark.parametrize(
    "written",
    ["0014158675310", "+1 (0)415 867 5310", "+14158675310 ext", 14158675310, 14158675310.0, "+1415867５310"],
)
def test_a_refusal_does_not_print_every_digit_of_a_number_that_could_be_dialled(written):
    with pytest.raises(ValueError) as refused:
        normalize_phone_number(written)
    assert "310" in str(refused.value)
    assert "867" not in re.sub(r"\D", "", str(refused.value))


@reproducible(examples=300)
@given(st.one_of(number_like, st.text(), e164))
@example("+33 6 12-34 56 78")
def test_normalising_any_text_gives_e164_or_a_value_error_and_twice_is_once(text):
    try:
        number = normalize_phone_number(text)
    except ValueError:
        return
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", number, flags=re.ASCII)
    assert normalize_phone_number(number) == number


@reproducible(examples=300)
@given(
    e164,
    st.lists(st.sampled_from([" ", "-", "..", "\u00a0", "\u2009", "\u2013", "/", "\u200e"]), max_size=20),
)
def test_separators_anywhere_do_not_change_the_number(number, separators):
    written = "".join(
        digit + separator for digit, separator in zip(number, separators + [""] * 20, strict=False)
    )
    assert normalize_phone_number(written) == number


@reproducible(examples=400)
@given(numbers_that_were_floats())
def test_what_a_float_leaves_behind_its_point_is_never_dialled(written):
    text, country, digits = written
    with suppress(ValueError):
        dialled = normalize_phone_number(text, default_country=country)
        assert len(dialled.removeprefix("+")) <= len(digits), dialled
